#!/bin/bash
# house.sh [ROOT] - file names are unique, no file or function outgrows its room, no banned calls, and the
# tree speaks of no one machine.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1
bad=0
sources() { find proto keys model daemon client -name '*.[ch]' | sort; }

twice=$(sources | xargs -n1 basename | sort | uniq -d)
[ -z "$twice" ] || { echo "names used twice: $twice"; bad=1; }

while read -r lines file; do
    [ "$file" = total ] || [ "$lines" -le 1000 ] || { echo "$file: $lines lines, at most 1000"; bad=1; }
done < <(sources | xargs wc -l)

# clang-format puts a function's last brace in column one.
# shellcheck disable=SC2016 # the dollar is a pattern's
while read -r line; do
    echo "$line"
    bad=1
done < <(sources | grep '\.c$' | xargs awk '
    FNR == 1 { start = 0 }
    /^[a-z].*\) \{$/ || /^    +.*\) \{$/ && open { start = FNR; name = $0; open = 0 }
    /^[a-z].*[(,]$/ || /^[a-z].*\($/ { open = 1; start = FNR; name = $0 }
    /^}/ { if (start && FNR - start > 60) print FILENAME ": " FNR - start " lines, at most 60: " name; start = 0; open = 0 }')

if sources | xargs grep -nwE 'strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atof|rand|srand|alloca|system|popen|tmpnam|mktemp' |
    grep -vE ':[0-9]+: *(/?\*|//)|"[^"]*\b(system|rand|gets)\b|the system|/\*.*system' | grep -E '\b[a-z]+\('; then
    echo "banned calls; use the bounded ones"
    bad=1
fi

if git rev-parse --git-dir >/dev/null 2>&1 &&
    git grep -nIE '(^|[^a-z./])/(home|work)/[a-z]|https?://(deb|registry|pypi)[.]' -- . ':!tests/check/house.sh'; then
    echo "paths or hosts of one machine"
    bad=1
fi
exit $bad
