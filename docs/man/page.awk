# page.awk - a manual page in mdoc: awk -v date=D -v gen=FOLDER -f page.awk ROWS TEMPLATE
#
# A line of the template that begins with '@' is replaced:
#   @date                      the .Dd line
#   @options PROGRAM [VERB]    a list of options
#   @verbs PROGRAM             a section for each verb: how it is called, what it does, its options
#   @keys                      a section for each heading of the configuration
#   @errors, @counters, @metrics, @log   lists
#   @file FILE                 as it is, but for lines of prose, which begin with "@text "
BEGIN { FS = "\t"; macro = "^[A-Z%][a-z1-9]$" }

# Text for the body of a page, in lines of at most 78 bytes that are no requests; a sentence begins a line.
function body(text,    n, word, i, line) {
    n = split(escape(text), word, / +/)
    line = ""
    for (i = 1; i <= n; i++) {
        if (word[i] == "")
            continue
        if (line != "" && (length(line) + length(word[i]) > 76 || line ~ /[.!?][)]?$/)) {
            print guard(line)
            line = ""
        }
        line = line (line == "" ? "" : " ") word[i]
    }
    if (line != "")
        print guard(line)
}

function guard(line) { return line ~ /^[.']/ ? "\\&" line : line }

function escape(text,    part, n, i, all) {
    gsub(/\(\)/, "(\001)", text) # mandoc would have a macro for the name before it
    gsub(/\\/, "\\e", text)
    gsub(/--/, "\\-\\-", text)
    gsub(/~/, "\\(ti", text)
    gsub(/\^/, "\\(ha", text)
    gsub(/\001/, "\\\\\\&", text)
    n = split(text, part, "`")
    all = part[1]
    for (i = 2; i <= n; i++)
        all = all (i % 2 == 0 ? "\\(oq" : "\\(cq") part[i]
    return all
}

# An argument of a macro: never taken for a macro itself.
function argument(text) {
    text = escape(text)
    if (text ~ macro || text ~ /^[|.,:;()?!]/ || text ~ /^\[|^\]/)
        text = "\\&" text
    return text
}

function sentence(text) { return text (text ~ /[.!?]$/ ? "" : ".") }

function dashed(name) { gsub(/-/, "\\-", name); return name }

function options(program, verb,    i, f, group, any) {
    group = "-"
    for (i = 1; i <= n_rows; i++) {
        split(row[i], f, "\t")
        if (f[1] != "option" || f[2] != program || f[3] != verb)
            continue
        if (f[7] != group) {
            if (any)
                print ".El"
            any = 0
            group = f[7]
            if (group != "-") {
                print ".Pp"
                body(group)
            }
        }
        if (!any)
            print ".Bl -tag -width Ds"
        any = 1
        item(f[4], f[5], f[6], f[8])
    }
    if (any)
        print ".El"
}

function item(short, name, arg, help,    line) {
    line = ".It"
    if (short != "-")
        line = line " Fl " short " ,"
    line = line " Fl \\-" dashed(name)
    if (arg != "-")
        line = line " Ns = Ns Ar " argument(arg)
    print line
    body(sentence(help))
}

# The words behind the verb as the usage line has them.
function synopsis(program, verb,    i, f) {
    for (i = 1; i <= n_rows; i++) {
        split(row[i], f, "\t")
        if (f[1] == "usage" && f[2] == program && f[3] == verb) {
            sub(/^[a-z]+ *[a-z-]* */, "", f[4])
            return f[4]
        }
    }
    return ""
}

function paragraphs(kind, program, verb,    i, f) {
    for (i = 1; i <= n_rows; i++) {
        split(row[i], f, "\t")
        if (f[1] == kind && f[2] == program && f[3] == verb) {
            print ".Pp"
            body(f[4])
        }
    }
}

function verbs(program,    i, f, rest) {
    for (i = 1; i <= n_rows; i++) {
        split(row[i], f, "\t")
        if (f[1] != "verb" || f[2] != program)
            continue
        rest = synopsis(program, f[3])
        print ".Ss " f[3]
        print ".Nm " program " Cm " argument(f[3]) (rest == "" ? "" : " No " escape(rest))
        paragraphs("about", program, f[3])
        options(program, f[3])
        paragraphs("note", program, f[3])
        extra(program "-" f[3])
    }
}

# What only a person can say of a verb: its examples.
function extra(name) { whole("docs/man/verbs/" name ".mdoc") }

function keys(    i, f, heading, open) {
    for (i = 1; i <= n_rows; i++) {
        split(row[i], f, "\t")
        if (f[1] != "key")
            continue
        if (f[2] != heading) {
            if (open)
                print ".El"
            heading = f[2]
            print ".Ss " heading
            print ".Bl -tag -width Ds"
            open = 1
        }
        print ".It Ic " f[3] " = Ar " kind_word(f[4])
        body(sentence(f[9]))
        body("Takes " f[6] "; " (f[5] == "" ? "empty by default" : "default " f[5]) \
             (f[8] == "START" ? "." : "; taken over by a reload."))
    }
    if (open)
        print ".El"
}

function kind_word(type) {
    return type == "BOOL" ? "yes|no" : type == "ENUM" ? "word" : type == "UINT" ? "number" : \
           type == "SPAN" ? "time" : type == "TEXT" ? "text" : tolower(type)
}

function errors(    i, f) {
    print ".Bl -tag -width Ds"
    for (i = 1; i <= n_rows; i++) {
        split(row[i], f, "\t")
        if (f[1] == "error") {
            print ".It Er " argument(f[2]) " Pq " f[3]
            body(sentence(f[4]))
        }
    }
    print ".El"
}

function counters(    i, f) {
    print ".Bl -tag -width Ds"
    for (i = 1; i <= n_rows; i++) {
        split(row[i], f, "\t")
        if (f[1] == "counter") {
            print ".It Va " f[2]
            body(sentence(f[3]))
        }
    }
    print ".El"
}

function metrics(    i, f) {
    print ".Bl -tag -width Ds"
    for (i = 1; i <= n_rows; i++) {
        split(row[i], f, "\t")
        if (f[1] == "metric") {
            print ".It Va diffused_" f[2] (f[3] == "counter" ? "_total" : f[3] == "info" ? "_info" : "") " Pq " f[3]
            body(sentence(f[5]))
            if (f[4] != "")
                body("Labels: " f[4] ".")
        }
    }
    print ".El"
}

function log_lines(    i, f) {
    print ".Bl -tag -width Ds"
    for (i = 1; i <= n_rows; i++) {
        split(row[i], f, "\t")
        if (f[1] == "log") {
            print ".It Va " f[2] " Pq " f[3] " , Li " f[4]
            body(sentence(f[5]))
            body(sentence(f[6]))
        }
    }
    print ".El"
}

function whole(file,    line) {
    while ((getline line <file) > 0) {
        if (sub(/^@text /, "", line))
            body(line)
        else
            print line
    }
    close(file)
}

FNR == NR { row[++n_rows] = $0; next }
/^@/ {
    split(substr($0, 2), word, " ")
    if (word[1] == "date") print ".Dd " date
    else if (word[1] == "options") options(word[2], word[3] == "" ? "-" : word[3])
    else if (word[1] == "verbs") verbs(word[2])
    else if (word[1] == "keys") keys()
    else if (word[1] == "errors") errors()
    else if (word[1] == "counters") counters()
    else if (word[1] == "metrics") metrics()
    else if (word[1] == "log") log_lines()
    else if (word[1] == "file") { sub(/^\$gen/, gen, word[2]); whole(word[2]) }
    else { print FILENAME ": unknown @" word[1] >"/dev/stderr"; exit 1 }
    next
}
/^\.\\" / { next }
{ print }
