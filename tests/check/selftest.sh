#!/bin/bash
# selftest.sh - the checks find what they are for: each gets a copy of the tree with a breach planted.
set -u
cd "$(dirname "$0")/../.." || exit 1
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
bad=0

breach() { # check, file, line to plant
    rm -rf "${copy:?}/tree" && mkdir "$copy/tree" && cp -r proto model daemon client docs README.md "$copy/tree/"
    mkdir -p "$copy/tree/$(dirname "$2")"
    printf '%s\n' "$3" >>"$copy/tree/$2"
    if bash "tests/check/$1" "$copy/tree" >/dev/null 2>&1; then
        echo "$1 does not see: $2: $3"
        bad=1
    fi
}
breach layers.sh model/net/pool.c '#include "daemon/conf.h"'
breach layers.sh proto/decode.c '#include "model/base/arena.h"'
breach layers.sh client/ctl/new.c '#include "client/link.h"'
breach layers.sh model/net/pool.c '#include <cblas.h>'
breach layers.sh model/text/utf8.c '#include <zmq.h>'
breach house.sh daemon/pool.c 'int twice;'
breach house.sh daemon/long.c "$(yes '/* line */' | head -501)"
breach house.sh daemon/long.c "$(echo 'static void f(void) {'; yes '    g();' | head -90; echo '}')"
breach house.sh daemon/bad.c '    strcpy(a, b);'
breach results.sh docs/results/peers/new.json '{"set": "new", "peer": "new", "rows": {"train": 1, "test": 1}, "result": {"test": {}}, "bytes": 1, "cpu_seconds": 1, "runs": [{"test": {"test": {"accuracy": 1, "macro_f1": 1}}}]}'
exit $bad
