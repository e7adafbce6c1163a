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
    model/ckpt/file) echo "$(may model/net) model/net/" ;;
    model/ckpt) echo "$(may model/net) model/text/ model/net/ model/engine/ model/ckpt/file/" ;;
    model/data) echo "$(may model/text) model/text/" ;;
    model/data/corpus) may model/data ;;
    model/train/rows) echo "$(may model/ckpt) model/ckpt/ model/data/" ;;
    model/train/update) echo "$(may model/train/rows) model/train/rows/" ;;
    model/train/eval) echo "$(may model/train/update) model/train/update/" ;;
    model/train/denoise) echo "$(may model/train/eval) model/train/eval/" ;;
    model/train/wide) echo "$(may model/train/eval) model/train/eval/ model/wide/" ;;
    model/train) echo "$(may model/train/eval) model/train/eval/ model/train/denoise/ model/train/wide/ model/wide/" ;;
    model/tune/journal) echo "$(may model/train) model/train/" ;;
    model/tune) echo "$(may model/tune/journal) model/tune/journal/" ;;
    model/tool/common) echo "$(may model/train) model/train/ proto/standard.h" ;;
    model/tool/report) echo "$(may model/tool/common) model/tool/common/" ;;
    model/tool/train) echo "$(may model/tool/report) model/tool/report/" ;;
    model/tool/sweep | model/tool/bench | model/tool/pretrain) echo "$(may model/tool/train) model/tool/train/" ;;
    model/tool) echo "$(may model/tool/train) model/tool/train/ model/data/corpus/" ;;
    daemon/common) echo "proto/ keys/ diffused.pb-c.h model/base/" ;;
    daemon/conf) echo "$(may daemon/common) daemon/common/ model/engine/" ;;
    daemon/budget) echo "$(may daemon/conf) daemon/conf/ model/net/ model/engine/" ;;
    daemon/door) echo "$(may daemon/conf) daemon/conf/" ;;
    daemon/path) echo "$(may daemon/budget) daemon/budget/ daemon/door/ model/base/ model/text/ model/net/ model/engine/ model/ckpt/ model/ckpt/file/ model/wide/ model/tune/journal/feedback_row.h" ;;
    daemon/swap) echo "$(may daemon/path) daemon/path/" ;;
    daemon/learn) echo "$(may daemon/swap) daemon/swap/ model/tune/ model/tune/journal/" ;;
    daemon/report) echo "$(may daemon/learn) daemon/learn/" ;;
    daemon/loop) echo "$(may daemon/report) daemon/report/" ;;
    daemon) echo "$(may daemon/loop) daemon/loop/" ;;
    client) echo "proto/diffuse_err.h" ;;
    client/link) echo "proto/ keys/ diffused.pb-c.h client/diffuse.h" ;;
    client/call) echo "$(may client/link) client/link/" ;;
    client/relay) echo "$(may client/call) client/call/" ;;
    client/ctl) echo "$(may client/ctl/recording) client/ctl/top/ client/ctl/recording/" ;;
    client/ctl/recording) echo "$(may client/ctl/top) client/relay/relay.h client/relay/frames.h" ;;
    client/ctl/top) echo "client/diffuse.h proto/diffuse_err.h proto/standard.h" ;;
    docs/man) echo "proto/ daemon/common/ daemon/conf/ daemon/report/" ;;
    *) echo "" ;;
    esac
}

folders() { find proto keys model client daemon docs/man -type d | sort; }
for folder in $(folders); do
    allowed="$folder/ $(may "$folder")"
    for file in "$folder"/*.[ch] "$folder"/*.def; do
        [ -e "$file" ] || continue
        while read -r include; do
            ok=
            for prefix in $allowed; do
                # a folder, but not the rooms below it; or one file
                rest=${include#"$prefix"}
                [ "$rest" = "$include" ] || case $rest in */*) ;; *) ok=1 ;; esac
            done
            # diffuse.h is installed beside diffuse_err.h, and so finds it without a folder
            [ "$file" = client/diffuse.h ] && [ "$include" = diffuse_err.h ] && ok=1
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
only sodium.h "model/base/digest.c model/base/keyed.c daemon/door/sealed.c"
only seccomp.h "daemon/budget/guard.c"
only systemd/sd-daemon.h "daemon/common/notify.c"
only systemd/sd-journal.h "daemon/common/log.c"
only microhttpd.h "daemon/report/metrics_http.c"
for folder in model proto keys; do
    grep -rln --include='*.[ch]' '#include <zmq' "$folder" && { echo "$folder/ must not know sockets"; bad=1; }
done
exit $bad
