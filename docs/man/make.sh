#!/bin/bash
# make.sh BUILD - manual pages into BUILD/man, from the templates here and from what the programs say.
set -eu
build=$1
gen=$build/gen out=$build/man
mkdir -p "$gen" "$out"/man{1,3,5,7,8}
docs/man/interface.sh "$build" >"$gen/interface.part"
mv "$gen/interface.part" "$gen/interface.tsv"
awk -v part=intro -f docs/man/header.awk client/diffuse.h >"$gen/libdiffuse.intro"
awk -f docs/man/header.awk client/diffuse.h proto/diffuse_err.h >"$gen/libdiffuse.calls"
awk -f docs/man/protocol.awk proto/diffused.proto >"$gen/protocol.messages"

# The day of the last change, so that the same sources make the same pages.
seconds=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
date=$(LC_ALL=C date -u -d "@$seconds" '+%B %-d, %Y')
for template in docs/man/*.[1-8].in; do
    page=$(basename "$template" .in)
    awk -v date="$date" -v gen="$gen" -f docs/man/page.awk "$gen/interface.tsv" "$template" \
        >"$out/man${page##*.}/$page"
done

# Every call of the library is found by its own name.
docs/man/calls.sh |
    while read -r call; do
        echo .so man3/libdiffuse.3 >"$out/man3/$call.3"
    done
