#!/bin/bash
# completion.sh [ROOT] - what bash and zsh offer after a few words, as a person who presses the tab key gets it.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1
build=${B:-build}
helpers=/usr/share/bash-completion/bash_completion
[ -e "$build/completion/bash/diffusectl" ] || { echo "$build/completion is not made"; exit 1; }
[ -r "$helpers" ] || { echo "skipped: bash-completion is missing"; exit 9; }
bad=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/run"
: >"$work/model.safetensors"

# shellcheck disable=SC1090 # what was built
{ . "$helpers" && for program in diffused diffuse diffusectl; do . "$build/completion/bash/$program"; done; }

# The words behind the program as readline hands them over, which breaks them at '=' and ':'.
offered() {
    local program=$1 word
    COMP_LINE=$*
    COMP_WORDS=("$program")
    for word in "${@:2}"; do
        while [[ $word =~ ^([^=:]+)([=:])(.*)$ ]]; do
            COMP_WORDS+=("${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}")
            word=${BASH_REMATCH[3]}
        done
        COMP_WORDS+=("$word")
    done
    COMP_POINT=${#COMP_LINE}
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMP_TYPE=9 COMP_KEY=9 COMPREPLY=()
    # shellcheck disable=SC2317 # called by what is called below
    compopt() { :; } # no completion is under way that it could change
    "_$program" 2>/dev/null
    unset -f compopt
    [ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' '
}

expect() { # WHAT IS OFFERED, WORDS...
    local got
    got=$(offered "${@:2}")
    [ "$got" = "$1" ] || { echo "${*:2}: offered '$got', expected '$1'"; bad=1; }
}

for program in diffused diffuse diffusectl; do
    [[ $(complete -p $program) == *"-F _$program $program" ]] || { echo "$program has no completion"; bad=1; }
done
expect "rollback " diffusectl rol
expect "send " diffusectl --timeout 100 -e "$work" "se"
expect "--seq= " diffusectl feedback --se
expect "off on " diffusectl tune o
expect "$work/run " diffusectl --endpoint "$work/"
expect "$work/run " diffusectl --endpoint="$work/"
expect "$work/model.safetensors " diffusectl reload "$work/mo"
expect "--stream= " diffusectl -e "$work" send --push --str
expect "f16 f32 " diffuse train --type f
expect "ag_news: " diffuse eval --data ag
expect "$work/model.safetensors " diffuse classify -m "$work/m"
expect "dropout= " diffuse sweep --grid dro
expect "log_level= log_target= " diffused --set log
expect "log_level= log_target= " diffused --set=log
expect "notice " diffused --set log_level=n
expect "--plan --print-config " diffused --p
expect "" diffusectl send --stream x

if command -v zsh >/dev/null; then
    cat >"$work/zsh" <<'ZSH'
fpath=($1/completion/zsh $fpath)
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; fpath=($1/completion/zsh \$fpath); autoload -U compinit; compinit -u -D; stty -echo; echo READY"
zpty -r shell out '*READY*READY*'
zpty -w -n shell "diffusectl --timeout 100 rol"$'\t'
zpty -r shell out '*rollback *' && print rollback
zpty -w -n shell $'\025'"diffused --print"$'\t'
zpty -r shell out '*print-config *' && print config
zpty -d shell
ZSH
    got=$(TERM=dumb timeout 600 zsh -f "$work/zsh" "$PWD/$build" | tr '\n' ' ')
    [ "$got" = "rollback config " ] || { echo "zsh: got '$got'"; bad=1; }
else
    echo "left out: completion in zsh: zsh is not installed"
fi
exit $bad
