# header.awk - the sections of libdiffuse(3) from client/diffuse.h and its like, which is the manual: each block of a comment and
# declarations becomes the declarations and a paragraph. With -v part=intro, what stands at its top: an example and rules.
# Escaping is page.awk's affair: lines of prose begin with "@text ".
function flush_rule() {
    if (rule != "")
        print "@text " rule
    rule = ""
}

part == "intro" {
    if (NR == 1 || /^ \*$/)
        next
    if (/\*\//) {
        flush_rule()
        print ".El"
        exit
    }
    if (/^ \*     +[^ ]/ && !n_rules) {
        sub(/^ \*     /, "")
        if (!n_code++)
            print ".Bd -literal -offset indent"
        gsub(/\\/, "\\e")
        print
        next
    }
    sub(/^ \* /, "")
    if (match($0, /^[A-Z][A-Za-z]*: */)) {
        flush_rule()
        if (!n_rules++)
            print ".Ed\n.Bl -tag -width Blocking"
        print ".It Sy " substr($0, 1, index($0, ":") - 1)
        $0 = substr($0, RLENGTH + 1)
    }
    sub(/^ +/, "")
    rule = rule (rule == "" ? "" : " ") $0
    next
}

function flush_block(    i) {
    if (!n_code && comment == "")
        return
    if (n_code) {
        print ".Bd -literal"
        for (i = 1; i <= n_code; i++)
            print code[i]
        print ".Ed"
    }
    if (comment != "")
        print ".Pp\n@text " comment
    n_code = 0
    comment = ""
}

function add(line) {
    gsub(/\\/, "\\e", line)
    code[++n_code] = line
}

function add_statement(line) {
    while (length(line) > 78 && match(substr(line, 1, 78), /, [^,]*$/)) {
        add(substr(line, 1, RSTART))
        line = "        " substr(line, RSTART + 2)
    }
    add(line)
}

/^extern "C" \{/ { on = 1; getline; next }
/^#ifdef __cplusplus/ && on { flush_block(); on = 0 }
!on { next }
/^\/\* --- .* --- \*\/$/ {
    flush_block()
    sub(/^\/\* --- /, "")
    sub(/ --- \*\/$/, "")
    print ".Ss " toupper(substr($0, 1, 1)) substr($0, 2)
    next
}
/^$/ { if (!in_struct) flush_block(); else add(""); next }
!in_struct && /^\/\*/ { in_comment = 1; if (n_code) flush_block(); sub(/^\/\* */, "") }
in_comment {
    last = sub(/ *\*\/$/, "")
    sub(/^ \* ?/, "")
    if ($0 == "" && !last) {
        comment = comment "\n.Pp\n@text "
    } else {
        comment = comment (comment == "" || comment ~ /@text $/ ? "" : " ") $0
    }
    in_comment = !last
    next
}
/^(struct|enum|typedef enum|typedef struct) .*\{$/ { in_struct = 1 }
in_struct { add($0); if (/^}/) in_struct = 0; next }
/^#/ { add($0); next }
{
    tail = ""
    if (match($0, / *\/\*.*\*\/$/)) {
        tail = substr($0, RSTART)
        sub(/^ */, " ", tail)
        $0 = substr($0, 1, RSTART - 1)
    }
    statement = statement (statement == "" ? "" : " ") $0
    gsub(/DIFFUSE_API |DIFFUSE_MUST_CHECK /, "", statement)
    gsub(/  +/, " ", statement)
    gsub(/\( /, "(", statement)
    if (statement ~ /;$/) {
        if (tail != "")
            add(statement tail)
        else
            add_statement(statement)
        statement = ""
    } else if (tail != "") {
        statement = statement tail
    }
}
