# bash.awk - a completion for bash of one program: awk -v program=P -f bash.awk ROWS, the rows being those of
# docs/man/interface.sh. Loaded by bash-completion, whose helpers it uses.
BEGIN { FS = "\t"; quote = "'" }
$1 == "key" {
    keys = keys " " $3 "="
    if ($7 != "" || $4 == "BOOL")
        values[$3] = $7 != "" ? $7 : "yes no"
}
$1 == "kind" { kinds = kinds " " $2 ":" }
$1 == "option" && $2 == "diffuse" && $3 == "train" && $7 ~ /^Hyper/ { grid = grid " " $5 "=" }
$2 != program { next }
$1 == "verb" { verb[++n_verbs] = $3 }
$1 == "usage" { usage[$3] = $4 }
$1 == "standard" { if ($5 != "usage") words[$3] = words[$3] " --" $5 }
$1 == "option" {
    words[$3] = words[$3] " --" $5 ($6 == "-" ? "" : "=")
    if ($6 == "-")
        next
    n = ++n_values[$3]
    name[$3, n] = "--" $5 ($4 == "-" ? "" : " | -" $4)
    argument[$3, n] = $6
    takes = takes " " $6
}

# What to offer for an argument that the help calls so.
function offer(arg) {
    if (arg ~ /^KIND:PATH/)
        return "_diffused_data"
    if (arg ~ /^KEY=VALUE$/)
        return "_diffused_key"
    if (arg ~ /^KEY=VALUE/)
        return "_diffused_words nospace \"" substr(grid, 2) "\""
    if (arg ~ /^DIR/)
        return "_filedir -d"
    if (arg ~ /^(FILE|PATH)/)
        return "_filedir"
    if (arg ~ /^[a-z0-9]+(\|[a-z0-9]+)+$/) {
        gsub(/\|/, " ", arg)
        return "_diffused_words space \"" arg "\""
    }
    return ":"
}

# The last word of a usage line, when it stands for something to complete.
function operand(text) {
    sub(/^.*\[OPTION\.\.\.\] */, "", text)
    gsub(/[][]/, "", text)
    sub(/ .*$/, "", text)
    return offer(text)
}

function cases(of, indent,    i) {
    for (i = 1; i <= n_values[of]; i++)
        print indent name[of, i] ") " offer(argument[of, i]) "; return ;;"
}

function one(of, indent) {
    print indent "case $prev in"
    cases(of, indent)
    print indent "esac"
    print indent "$split && return"
    print indent "if [[ $cur == -* ]]; then"
    print indent "    _diffused_words option \"" substr(words[of], 2) "\""
    print indent "else"
    print indent "    " (of == "-" && n_verbs ? "_diffused_words space \"" all_verbs "\"" : operand(usage[of]))
    print indent "fi"
}

function data_function() {
    print "_diffused_data() {"
    print "    if [[ $cur == *:* ]]; then"
    print "        local kind=${cur%%:*}"
    print "        cur=${cur#*:} _filedir"
    print "        COMPREPLY=(\"${COMPREPLY[@]/#/$kind:}\")"
    print "    else"
    print "        _diffused_words nospace \"" substr(kinds, 2) "\""
    print "    fi"
    print "    __ltrim_colon_completions \"$cur\""
    print "}"
}

function key_function(    key, sorted, n_sorted, i, j) {
    print "_diffused_key() {"
    print "    case $cur in"
    for (key in values)
        sorted[++n_sorted] = key
    for (i = 2; i <= n_sorted; i++) # few: insertion will do
        for (j = i; j > 1 && sorted[j] < sorted[j - 1]; j--) {
            key = sorted[j]; sorted[j] = sorted[j - 1]; sorted[j - 1] = key
        }
    for (i = 1; i <= n_sorted; i++)
        print "    " sorted[i] "=*) cur=${cur#*=} _diffused_words space \"" values[sorted[i]] "\" ;;"
    print "    *=*) cur=${cur#*=} _filedir ;;"
    print "    *) _diffused_words nospace \"" substr(keys, 2) "\" ;;"
    print "    esac"
    print "}"
}

END {
    for (i = 1; i <= n_verbs; i++)
        all_verbs = all_verbs (i > 1 ? " " : "") verb[i]
    print "# Completion of " program " for bash; made from its options."
    print "_diffused_words() { # space|nospace|option WORDS"
    print "    mapfile -t COMPREPLY < <(compgen -W \"$2\" -- \"$cur\")"
    print "    if [[ $1 == nospace || ($1 == option && ${COMPREPLY-} == *=) ]]; then compopt -o nospace; fi"
    print "}"
    if (takes ~ /KIND:PATH/)
        data_function()
    if (takes ~ /KEY=VALUE( |$)/)
        key_function()
    print "_" program "() {"
    print "    # shellcheck disable=SC2034 # the helper sets them"
    print "    local cur prev words cword split" (n_verbs ? " verb=\"\" i" : "")
    print "    _init_completion -n : -s || return"
    if (!n_verbs) {
        one("-", "    ")
    } else {
        print "    for ((i = 1; i < cword; i++)); do"
        print "        case ${words[i]} in"
        for (i = 1; i <= n_values["-"]; i++)
            print "        " name["-", i] ") ((i++)) ;;"
        print "        -*) ;;"
        print "        *) verb=${words[i]} && break ;;"
        print "        esac"
        print "    done"
        print "    case $verb in"
        for (k = 1; k <= n_verbs; k++) {
            print "    " verb[k] ")"
            one(verb[k], "        ")
            print "        ;;"
        }
        print "    " quote quote ")"
        one("-", "        ")
        print "        ;;"
        print "    esac"
    }
    print "} &&"
    print "    complete -F _" program " " program
}
