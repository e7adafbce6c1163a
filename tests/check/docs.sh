#!/bin/bash
# docs.sh [ROOT] - code and documentation name the same things, in both directions: options, verbs, keys, errors,
# counters, events, messages, calls and variables in the manual pages that were built; and what README and the other texts
# name exists. The manual is made from --help and the tables; what is expected here is read from the sources.
# shellcheck disable=SC2016 # dollars and backquotes are patterns
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1
build=${B:-build}
man=$build/man
[ -e "$man/man8/diffused.8" ] || { echo "$man is not made"; exit 1; }
bad=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { echo "$*"; bad=1; }

same() { # WHAT, FILE OF WHAT THE CODE HAS, FILE OF WHAT THE PAGE HAS
    sort -u "$2" >"$work/code" && sort -u "$3" >"$work/page"
    [ -s "$work/code" ] || say "$1: none found in the code; has its form changed?"
    while read -r word; do say "$1: $word is in the code and not in the manual"; done < <(comm -23 "$work/code" "$work/page")
    while read -r word; do say "$1: $word is in the manual and not in the code"; done < <(comm -13 "$work/code" "$work/page")
}

# --- options and verbs: argp's tables and the .def files, against the pages ---
long_names() { # SOURCE...
    grep -ohE '^ *\{"[a-z][a-z0-9-]*", *([A-Z_]+|'"'.'"'|[0-9]+), ' "$@" | sed 's/[^"]*"\([^"]*\).*/\1/'
    local file
    for file in $(grep -ohE '"model/tool/[a-z_/]+\.def"' "$@" | tr -d '"'); do
        grep -oE '^(NUMBER|COUNT|CHOICE)\([^,]*, *"[^"]*"' "$file" | sed 's/.*"\(.*\)"/\1/'
    done
}
page_names() { grep -oE '^\.It( Fl . ,)? Fl \\-[^ ]+' "$1" | sed 's/.*Fl \\-//; s/\\-/-/g'; }
# No verb has these of its own: argp does.
long_names model/tool/*.c model/tool/*/*.c >"$work/a" && page_names "$man/man1/diffuse.1" >"$work/b" && same "diffuse --" "$work/a" "$work/b"
long_names client/ctl/*.c client/ctl/*/*.c >"$work/a" && page_names "$man/man1/diffusectl.1" >"$work/b" && same "diffusectl --" "$work/a" "$work/b"
long_names daemon/conf/args.c >"$work/a" && page_names "$man/man8/diffused.8" >"$work/b" && same "diffused --" "$work/a" "$work/b"

verbs() { sed -n 's/^ *{"\([a-z-]*\)", *\(cmd\|ctl\)_[a-z_]*,.*/\1/p' "$1"; }
for pair in diffuse:model/tool/diffuse_main.c diffusectl:client/ctl/diffusectl.c; do
    verbs "${pair#*:}" >"$work/a"
    sed -n 's/^\.Ss //p' "$man/man1/${pair%%:*}.1" >"$work/b"
    same "${pair%%:*} verb" "$work/a" "$work/b"
    cp "$work/a" "$work/${pair%%:*}.verbs"
done

# --- keys, errors, counters ---
sed -n 's/^CONF(\([a-z_0-9]*\),.*/\1/p' daemon/conf/conf.def >"$work/keys"
sed -n 's/^\.It Ic \([a-z_0-9]*\) = .*/\1/p' "$man/man5/diffused.conf.5" >"$work/b"
same "key" "$work/keys" "$work/b"
sed -n '/define DIFFUSE_ERR_LIST/,/^$/s/^ *X(\([A-Z0-9]*\), \([0-9]*\), .*/\1 \2/p' proto/diffuse_err.h >"$work/errors"
for page in man8/diffused.8 man3/libdiffuse.3 man7/diffused-protocol.7; do
    sed -n 's/^\.It Er \([A-Z0-9]*\) Pq \([0-9]*\)$/\1 \2/p; s/^\.It Er \\&\([A-Z0-9]*\) Pq \([0-9]*\)$/\1 \2/p' "$man/$page" >"$work/b"
    same "error in $page" "$work/errors" "$work/b"
done
sed -n '/define STATS_COUNTERS/,/^$/s/^ *X(\([a-z_0-9]*\), .*/\1/p' daemon/common/stats.h >"$work/counters"
sed -n '/^\.Sh COUNTERS/,/^\.Sh/s/^\.It Va //p' "$man/man8/diffused.8" >"$work/b"
same "counter" "$work/counters" "$work/b"

sed -n 's/^EVENT(\([a-z_0-9]*\), .*"\([0-9a-f]*\)",$/\1 \2/p' daemon/common/event.def >"$work/a"
sed -n 's/^\.It Va \([a-z_0-9]*\) Pq [a-z]* , Li \([0-9a-f]*\)$/\1 \2/p' "$man/man8/diffused.8" >"$work/b"
same "kind of log line" "$work/a" "$work/b"
grep -oE '"DIFFUSED_[A-Z_]*=' daemon/common/log.c | tr -d '"=' >"$work/a"
sed -n '/^\.Sh LOG/,/^\.Bl/s/^\.Va \(DIFFUSED_[A-Z_]*\).*/\1/p' "$man/man8/diffused.8" >"$work/b"
same "field of the journal" "$work/a" "$work/b"

sed -n 's/^EXPO(\([a-z_0-9]*\), .*/\1/p' daemon/report/metrics.def >"$work/a"
sed -n 's/^\.It Va diffused_\([a-z_0-9]*\) Pq .*/\1/p' "$man/man8/diffused.8" | sed 's/_total$//; s/_info$//' >"$work/b"
same "metric" "$work/a" "$work/b"

# --- events, messages, calls, variables ---
{
    grep -ohE '"\$sys/[a-z-]+"' daemon/*.c daemon/*/*.c | sed 's,.*sys/\(.*\)",\1,'
    grep -ohE '\bEVENT\("[a-z-]+"\)' daemon/*.c daemon/*/*.c | sed 's/.*"\(.*\)".*/\1/'
    cat daemon/*.c daemon/*/*.c | tr -d '\n' | grep -oE 'tuner_queue_say\([^,]*, *"[a-z-]+"' | sed 's/.*"\(.*\)"/\1/'
} >"$work/events"
sed -n '/^\.Sh EVENTS/,/^\.Sh/s/^\.It Li //p' "$man/man8/diffused.8" | sed 's/\\//g' | grep -v '^sync/' >"$work/b"
same "event" "$work/events" "$work/b"
sed -nE 's/^(message|enum) ([A-Za-z]+) \{.*/\2/p' proto/diffused.proto >"$work/a"
sed -n '/^\.Sh MESSAGES/,/^\.Sh ERR/s/^\.Ss //p' "$man/man7/diffused-protocol.7" >"$work/b"
same "message" "$work/a" "$work/b"
sed -n 's/^ *\(repeated \)\?[A-Za-z0-9]* \([a-z_0-9]*\) = \([0-9]*\);.*/\2 \3/p' proto/diffused.proto >"$work/a"
sed -n 's/^ *\(repeated \)\?[A-Za-z0-9]* \([a-z_0-9]*\) = \([0-9]*\);.*/\2 \3/p' "$man/man7/diffused-protocol.7" >"$work/b"
same "field" "$work/a" "$work/b"
sed -n '/^DIFFUSE_API/,/;/p' client/diffuse.h proto/diffuse_err.h | grep -oE 'diffuse_[a-z_0-9]+\(' | tr -d '(' >"$work/calls"
grep -oE '^[a-z].*[ *]diffuse_[a-z_0-9]+\(' "$man/man3/libdiffuse.3" | grep -oE 'diffuse_[a-z_0-9]+\($' | tr -d '(' >"$work/b"
grep -qx diffuse_strerror "$work/b" || printf '%s\n' diffuse_strerror diffuse_errname >>"$work/b"
same "call" "$work/calls" "$work/b"
while read -r call; do
    [ -e "$man/man3/$call.3" ] || say "call: $call has no page of its name"
done <"$work/calls"
grep -ohE 'getenv\("DIFFUSE[A-Z_]*"' client/call/*.c client/link/*.c client/relay/*.c client/ctl/*.c client/ctl/*/*.c daemon/*.c daemon/*/*.c model/*/*.c model/*/*/*.c | tr -d '"' | sed 's/.*(//' >"$work/a"
grep -hoE '\bDIFFUSE_ENDPOINT|\.It Ev DIFFUSE[A-Z_]*' "$man"/man[138]/* | grep -oE 'DIFFUSE[A-Z_]*$' >"$work/b"
same "variable" "$work/a" "$work/b"
sed -n 's/.*role_names\[\] = {\(.*\)};/\1/p' daemon/door/keyring.c | tr -d '" ' | tr ',' '\n' >"$work/a"
sed -n '/^\.Sh WHO/,/^\.Sh S/s/^\.It Cm //p' "$man/man8/diffused.8" >"$work/b"
same "role" "$work/a" "$work/b"

# --- what texts name, exists ---
size=$(wc -c <README.md)
[ "$size" -le 10240 ] || say "README.md: $size bytes, at most 10240; the rest belongs into docs"
sed -n '/^message Policy/,/^}/s/^ *[a-z0-9]* \([a-z_]*\) = .*/\1/p' proto/diffused.proto >"$work/policy" # words of the key policy
shopt -s nullglob
texts=(README.md CONTRIBUTING.md NEWS docs/[a-z]*.md docs/recipes/*.md) # METRICS.md is made, and held by a test of its own
{
    long_names model/tool/*.c model/tool/*/*.c client/ctl/*.c client/ctl/*/*.c daemon/conf/args.c
    printf '%s\n' help version usage create now update-catalog # the last three are systemd's
    # of others' tools, and of scripts of this tree
    grep -ohE 'add_argument\("--[a-z-]+' tests/*/*.py | sed 's/.*--//'
} | sort -u >"$work/options"
for text in "${texts[@]}"; do
    # recipes also use other programs, and name what they need
    case $text in docs/recipes/*) tr '|' '\n' <"$text" | grep -E '(^|`| )diffuse(d|ctl)? ' >"$work/ours" ;; *) cp "$text" "$work/ours" ;; esac
    grep -oE 'needs=[^ ]+' "$text" | sed 's/needs=//; s/,/\n/g' | sort -u >"$work/needs"
    while read -r option; do
        grep -qxe "${option#--}" "$work/options" || say "$text: no program has the option $option"
    done < <(grep -oE "(^|[^a-zA-Z0-9-])--[a-z][a-z0-9-]*" "$work/ours" | grep -oE -- '--.*' | sort -u)
    while read -r program verb; do
        grep -qx "$verb" "$work/$program.verbs" || say "$text: $program has no verb $verb"
    done < <(grep -oE '(`|\$ |\| |build/)(diffuse|diffusectl)( --(endpoint|timeout) [^ ]+)? [a-z][a-z-]+' "$text" |
        sed -E 's,^(`|\$ |\| ),,; s,^build/,,; s/ --[a-z]+ [^ ]+//' | sort -u)
    while read -r target; do
        grep -qE "^$target( |:)|^## $target:" Makefile mk/*.mk || say "$text: the Makefile has no target $target"
    done < <(grep -oE '`make [a-z][a-z-]*|^ *\$? ?make [a-z][a-z-]*' "$text" | sed 's/.*make //' | sort -u)
    while read -r link; do
        [ -e "$(dirname "$text")/$link" ] || [ -e "$link" ] || say "$text: there is no $link"
    done < <(grep -oE '\]\([a-zA-Z][^):]*\)' "$text" | sed 's/^](//; s/)$//; s/#.*//' | sort -u)
    # a key, a counter, a field, a function: whatever has an underscore stands somewhere in the sources
    while read -r word; do
        grep -qxF "$word" "$work/needs" || grep -rqwF --include='*.[ch]' --include='*.def' --include='*.proto' --include='*.py' --include='*.in' -e "$word" \
            proto daemon client model systemd tests || say "$text: nothing is called $word"
    done < <(grep -oE '`[a-z][a-z0-9]*(_[a-z0-9]+)+`' "$text" | tr -d '`' | sort -u)
    while read -r kind; do
        grep -qx "$kind" "$work/events" || say "$text: there is no event $kind"
    done < <(grep -oE '\$sys/[a-z][a-z-]*' "$text" | sed 's,.*/,,' | grep -vx sync | sort -u)
    while read -r key; do
        grep -qx "$key" "$work/keys" || grep -qx "$key" "$work/policy" || say "$text: the configuration has no key $key"
    done < <(grep -oE '(--set |`)[a-z][a-z_]* ?= ?[a-z0-9]' "$text" | sed -E 's/(--set |`)//; s/ ?=.*//' | grep -vxE 'key|run|file|needs' | sort -u)
done

# --- make help names every target ---
grep -hE '^\.PHONY:' Makefile mk/*.mk | sed 's/^.PHONY: *//' | tr ' ' '\n' | grep -vx units | sort -u >"$work/a"
sed -n 's/^## \([a-z0-9, -]*\): .*/\1/p' Makefile mk/*.mk | tr -d ' ' | tr ',' '\n' >"$work/b"
same "target" "$work/a" "$work/b"

# --- pictures are XML, which a browser draws or does not ---
if command -v python3 >/dev/null; then
    while read -r line; do say "$line"; done < <(find docs -name '*.svg' -print0 | xargs -0 -r python3 -c '
import sys
import xml.etree.ElementTree as tree
for path in sys.argv[1:]:
    try:
        tree.parse(path)
    except tree.ParseError as e:
        print(f"{path}: no XML: {e}")')
fi

# --- the pages as such ---
if command -v mandoc >/dev/null; then
    while read -r line; do say "$line"; done < <(find "$man" -name '*.[1-8]' -exec mandoc -Tlint {} + |
        grep -vE 'referenced manual not found: Xr|cannot open .so file|^mandoc: .*diffuse_[a-z_]*\.3:')
else
    echo "left out: the form of the manual pages: mandoc is not installed"
fi
while read -r page section; do
    [ -e "$man/man$section/$page.$section" ] || say "there is no $page($section), which a page refers to"
done < <(grep -rhE '^\.Xr ' "$man" | awk '{ print $2, $3 }' | sort -u)
exit $bad
