#!/bin/bash
# make.sh BUILD - completions for bash and zsh into BUILD/completion, from the rows of docs/man/interface.sh.
set -eu
build=$1
mkdir -p "$build/completion/bash" "$build/completion/zsh"
for program in diffused diffuse diffusectl; do
    awk -v program=$program -f docs/completion/bash.awk "$build/gen/interface.tsv" >"$build/completion/bash/$program"
    awk -v program=$program -f docs/completion/zsh.awk "$build/gen/interface.tsv" >"$build/completion/zsh/_$program"
done
