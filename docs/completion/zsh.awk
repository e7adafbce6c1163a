# zsh.awk - a completion for zsh of one program, from the same rows as bash.awk.
BEGIN { FS = "\t"; q = "'" }
$1 == "key" { keys = keys " " $3 "=" }
$1 == "kind" { kinds = kinds " " $2 ":" }
$2 != program { next }
$1 == "verb" { verb[++n_verbs] = $3; help[n_verbs] = $4 }
$1 == "usage" { usage[$3] = $4 }
$1 == "standard" && $5 != "usage" { add($3, $4, $5, "-", "what there is to say") }
$1 == "option" { add($3, $4, $5, $6, $8) }

function add(of, short, long, arg, text) {
    gsub(/[][\\:]/, "\\\\&", text)
    gsub(q, q "\\" q q, text)
    if (short == "?")
        short = "-"
    text = "[" text "]" (arg == "-" ? "" : ":" plain(arg) ":" action(arg))
    option[of, ++n[of]] = (short == "-" ? q "--" long (arg == "-" ? "" : "=") : \
        q "(-" short " --" long ")" q "{-" short (arg == "-" ? "" : "+") ",--" long (arg == "-" ? "" : "=") "}" q) text q
}

function plain(arg) { gsub(/[:=|]/, " ", arg); return arg }

function action(arg) {
    if (arg ~ /^KIND:PATH/) return "_files"
    if (arg ~ /^KEY=VALUE$/) return "compadd -S \"\" -- " substr(keys, 2)
    if (arg ~ /^DIR/) return "_directories"
    if (arg ~ /^(FILE|PATH)/) return "_files"
    if (arg ~ /^[a-z0-9]+(\|[a-z0-9]+)+$/) { gsub(/\|/, " ", arg); return "(" arg ")" }
    return " "
}

function operand(text) {
    sub(/^.*\[OPTION\.\.\.\] */, "", text)
    gsub(/[][]/, "", text)
    sub(/ .*$/, "", text)
    return text == "" || action(text) == " " ? "" : q "*:" plain(text) ":" action(text) q
}

function all(of, more,    i) {
    print "_arguments -s -S" (of == "-" && n_verbs ? " -C" : "") " \\"
    for (i = 1; i <= n[of]; i++)
        print "        " option[of, i] (i < n[of] || more != "" ? " \\" : "")
    if (more != "")
        print "        " more
}

END {
    print "#compdef " program
    print "# Completion of " program " for zsh; made from its options."
    if (!n_verbs) {
        all("-", "")
        exit
    }
    print "local curcontext=$curcontext state line"
    print "local -a verbs=("
    for (i = 1; i <= n_verbs; i++) {
        gsub(q, q "\\" q q, help[i])
        print "    " q verb[i] ":" help[i] q
    }
    print ")"
    all("-", q "1:verb:{_describe verb verbs}" q " " q "*::argument:->rest" q " && return")
    print "case $line[1] in"
    for (i = 1; i <= n_verbs; i++) {
        printf "%s) ", verb[i]
        all(verb[i], operand(usage[verb[i]]))
        print "    ;;"
    }
    print "esac"
}
