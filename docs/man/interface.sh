#!/bin/bash
# interface.sh BUILD - everything that a user can name, one row a line, fields apart by tabs ("-": empty).
#
#   usage PROGRAM VERB TEXT                        note PROGRAM VERB PARAGRAPH (behind the options)
#   about PROGRAM VERB PARAGRAPH                   verb PROGRAM VERB HELP
#   option PROGRAM VERB SHORT LONG ARG GROUP HELP  standard PROGRAM VERB SHORT LONG (--help and the like)
#   key SECTION NAME TYPE DEFAULT ACCEPTS CHOICES WHEN HELP
#   error NAME NUMBER TEXT                         counter NAME TEXT
#   metric NAME TYPE LABELS TEXT
#   kind NAME (of data sets)                       log NAME LEVEL MESSAGE_ID SUBJECT EXPLANATION
#
# The programs themselves say it, and the tables that they are compiled from. Man pages, completions and
# tests/check/docs.sh are made from these rows, so that none of them is kept by hand.
set -eu
build=$1
export ARGP_HELP_FMT=rmargin=9999,opt-doc-col=70,no-dup-args-note LC_ALL=C.UTF-8

describe() { # PROGRAM VERB
    local verb=()
    [ "$2" = - ] || verb=("$2")
    "$build/$1" "${verb[@]}" --help | awk -v program="$1" -v verb="$2" -f docs/man/help.awk
}

for program in diffused diffuse diffusectl; do
    rows=$(describe $program -)
    printf '%s\n' "$rows"
    while IFS=$'\t' read -r kind _ verb _; do
        [ "$kind" != verb ] || describe $program "$verb"
    done <<<"$rows"
done

sed -n '/dataset_kind \*const kinds\[\]/,/};/s/&dataset_\([a-z_]*\)/\nkind\t\1\n/gp' model/data/dataset.c | grep '^kind'

# In the order and under the headings of the example configuration.
"$build/tables" | awk -F'\t' -v OFS='\t' '
    FILENAME != "-" {
        if (match($0, /^# --- .* -+$/)) {
            section = substr($0, 7)
            sub(/ -+$/, "", section)
        } else if (match($0, /^#?[a-z_]+ =/)) {
            name = $0
            gsub(/^#| *=.*$/, "", name)
            order[++n] = name
            heading[name] = section
        }
        next
    }
    $1 == "key" {
        if (!($2 in heading)) {
            print "interface.sh: daemon/diffused.conf lacks the key " $2 >"/dev/stderr"
            exit failed = 1
        }
        name = $2
        sub(/^key\t/, "")
        row[name] = $0
        next
    }
    { print }
    END {
        if (failed)
            exit 1
        for (i = 1; i <= n; i++)
            print "key", heading[order[i]], row[order[i]]
    }' daemon/diffused.conf -
