#!/bin/bash
# selftest.sh - the checks find what they are for: each gets a copy of the tree with a breach planted.
# shellcheck disable=SC2016 # backquotes are planted
set -u
cd "$(dirname "$0")/../.." || exit 1
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
bad=0
build=$(realpath "${B:-build}")

breach() { # check, file, line to plant[, exit status of the check (1)]
    rm -rf "${copy:?}/tree" && mkdir "$copy/tree" && cp -r proto keys model daemon client docs tests systemd mk Makefile ./*.md NEWS "$copy/tree/"
    mkdir -p "$copy/tree/$(dirname "$2")"
    printf '%s\n' "$3" >>"$copy/tree/$2"
    B=$build bash "tests/check/$1" "$copy/tree" >/dev/null 2>&1
    [ $? = "${4:-1}" ] || {
        echo "$1 does not see, or sees without need: $2: $3"
        bad=1
    }
}
breach layers.sh model/net/pool.c '#include "daemon/conf/conf.h"'
breach layers.sh proto/decode.c '#include "model/base/arena.h"'
breach layers.sh client/ctl/new.c '#include "client/link/link.h"'
breach layers.sh model/net/pool.c '#include <cblas.h>'
breach layers.sh model/text/utf8.c '#include <zmq.h>'
breach house.sh daemon/pool.c 'int twice;'
breach house.sh daemon/long.c "$(yes '/* line */' | head -1001)"
breach house.sh daemon/long.c "$(echo 'static void f(void) {'; yes '    g();' | head -90; echo '}')"
breach house.sh daemon/bad.c '    strcpy(a, b);'
breach results.sh docs/results/peers/new.json '{"set": "new", "peer": "new", "rows": {"train": 1, "test": 1}, "result": {"test": {}}, "bytes": 1, "cpu_seconds": 1, "runs": [{"test": {"test": {"accuracy": 1, "macro_f1": 1}}}]}'
if [ -e "$build/man/man8/diffused.8" ]; then
    breach docs.sh README.md 'nothing new' 0
    breach docs.sh README.md 'Say `diffusectl frobnicate`.'
    breach docs.sh README.md 'Say --frobnicate.'
    breach docs.sh README.md 'Set `frob_nicate`.'
    breach docs.sh README.md "$(yes 'One more line.' | head -700)"
    breach docs.sh docs/start.md 'Say `diffusectl frobnicate`.'
    breach docs.sh docs/frob.svg '<svg><g></svg>'
    breach docs.sh mk/lint.mk '.PHONY: frobnicate'
    breach docs.sh daemon/conf/conf.def 'CONF(frob, BOOL, "no", 0, 1, NULL, START, "x")'
    breach docs.sh client/ctl/ctl_send.c '    {"frob", 0, NULL, 0, "x", 0},'
    breach docs.sh daemon/loop/switcher.c 'send_event(t->send, EVENT("frob"), line);'
    breach docs.sh proto/diffused.proto 'message Frob {}'
fi
exit $bad
