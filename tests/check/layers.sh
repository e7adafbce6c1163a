#!/bin/bash
# layers.sh [ROOT] - every include points down, by the table below, and each library has its one file.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1
bad=0

# folder: what its files may include (prefixes), besides its own files
may() {
    case $1 in
    proto) echo "diffused.pb-c.h" ;;
    keys) echo "proto/diffuse_err.h proto/reason.h" ;;
    model/base) echo "proto/diffuse_err.h proto/limits.h proto/name.h proto/reason.h" ;;
    model/text) echo "$(may model/base) model/base/" ;;
    model/wide) echo "$(may model/text) model/text/" ;;
    model/net) echo "$(may model/wide) model/wide/" ;;
    model/engine) echo "$(may model/net) model/net/" ;;
    model/ckpt) echo "$(may model/net) model/net/ model/engine/" ;;
    model/data) echo "$(may model/text) model/text/" ;;
    model/train) echo "$(may model/ckpt) model/ckpt/ model/data/" ;;
    model/tune) echo "$(may model/train) model/train/" ;;
    model/tool) echo "$(may model/train) model/train/ proto/standard.h" ;;
    daemon) echo "proto/ keys/ diffused.pb-c.h model/base/ model/text/ model/wide/ model/net/ model/engine/ model/ckpt/ model/tune/" ;;
    client) echo "proto/ keys/ diffused.pb-c.h" ;;
    docs/man) echo "proto/ daemon/" ;;
    client/ctl | client/demo) echo "client/diffuse.h client/diffuse_relay.h proto/diffuse_err.h proto/standard.h" ;;
    *) echo "" ;;
    esac
}

for folder in proto keys model/base model/text model/wide model/net model/engine model/ckpt model/data model/train model/tune model/tool daemon client client/ctl client/demo docs/man; do
    for file in "$folder"/*.[ch] "$folder"/*.def; do
        [ -e "$file" ] || continue
        while read -r include; do
            ok=
            for prefix in "$folder/" $(may "$folder"); do
                case $include in "$prefix"*) ok=1 ;; esac
            done
            # diffuse.h is installed beside diffuse_err.h, and so finds it without a folder
            [ "$file" = client/diffuse.h ] && [ "$include" = diffuse_err.h ] && ok=1
            [ "$file" = client/diffuse_relay.h ] && [ "$include" = diffuse.h ] && ok=1
            [ -n "$ok" ] || { echo "$file: may not include \"$include\""; bad=1; }
        done < <(sed -n 's/^#include "\(.*\)".*/\1/p' "$file")
    done
done

# library header: the only files that may include it
only() {
    while IFS=: read -r file _; do
        case " $2 " in *" $file "*) ;; *) echo "$file: <$1> belongs in: $2"; bad=1 ;; esac
    done < <(grep -rn --include='*.[ch]' "#include <$1" proto keys model daemon client | cut -d: -f1,2)
}
only cblas.h "model/base/gemm.c model/base/blas_env.c"
only sodium.h "model/base/digest.c model/base/keyed.c daemon/sealed.c"
only seccomp.h "daemon/guard.c"
only systemd/sd-daemon.h "daemon/notify.c"
only systemd/sd-journal.h "daemon/log.c"
only microhttpd.h "daemon/web.c"
for folder in model proto keys; do
    grep -rln --include='*.[ch]' '#include <zmq' "$folder" && { echo "$folder/ must not know sockets"; bad=1; }
done
exit $bad
