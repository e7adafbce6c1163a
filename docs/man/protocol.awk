# protocol.awk - the sections of diffused-protocol(7) from proto/diffused.proto, which is the manual: the messages as they
# stand there, each below what is said of it. Lines of prose begin with "@text ", for page.awk.
function say() {
    if (comment != "")
        print "@text " comment
    comment = ""
}

/^syntax/ { comment = ""; next }
/^package/ { next }
/^\/\// {
    sub(/^\/\/ ?/, "")
    comment = comment (comment == "" ? "" : " ") $0
    next
}
/^(message|enum) / {
    print ".Ss " $2
    say()
    print ".Bd -literal"
    open = 1
}
open {
    gsub(/\\/, "\\e")
    print
    if (/^}/ || /\{\}$/) {
        print ".Ed"
        open = 0
    }
    next
}
/^$/ { say() }
