# help.awk - what a program's --help says, as rows for interface.sh. Set program and verb ("-": none), and have
# argp write each option in one line: ARGP_HELP_FMT=rmargin=9999,opt-doc-col=70,no-dup-args-note
BEGIN { OFS = "\t"; where = "about"; group = "-" }

function flush_text() {
    if (text != "")
        print where, program, verb, text
    text = ""
}

function option(line,    short, head, arg, help, at) {
    sub(/^ +/, "", line)
    short = "-"
    if (line ~ /^-[^-], /) {
        short = substr(line, 2, 1)
        line = substr(line, 5)
    }
    at = index(line, "  ")
    head = at ? substr(line, 1, at - 1) : line
    help = at ? substr(line, at) : ""
    gsub(/^ +| +$/, "", help)
    arg = "-"
    if (at = index(head, "=")) {
        arg = substr(head, at + 1)
        head = substr(head, 1, at - 1)
        sub(/\[$/, "", head)
        sub(/\]$/, "", arg)
    }
    sub(/^--/, "", head)
    if (help ~ /^Give (this help list|a short usage message)$/ || help == "Print program version")
        print "standard", program, verb, short, head
    else
        print "option", program, verb, short, head, arg, group, help
}

tolower($1) == "usage:" { sub(/^[Uu]sage: /, ""); print "usage", program, verb, $0; next }
/^ +(-[^-], )?--[a-z]/ { flush_text(); where = "note"; option($0); next }
/^ [A-Za-z].*:$/ { sub(/^ /, ""); sub(/:$/, ""); group = $0; next }
verb == "-" && /^  [a-z][a-z-]* +[^ ]/ {
    name = $1
    sub(/^ +[^ ]+ +/, "")
    print "verb", program, name, $0
    next
}
verb == "-" && /^Verbs .*:$/ { next }
/^[ \t]*$/ { flush_text(); if (where == "note") group = "-"; next }
{ text = text (text == "" ? "" : " ") $0 }
END { flush_text() }
