#!/bin/bash
# with_systemd.sh LAYER PROGRAM [ARGUMENT...] - run a program under a systemd of its own.
#
# A container is booted whose root is this machine's (WITH_SYSTEMD_ROOT: that folder), with the folder LAYER laid over
# it (what a package would install, say), and above both a layer in memory that takes what is written and goes when it
# ends: the machine stays as it is. PROGRAM, a path inside, runs as a service of it, as root, when the system is up; its
# output and its exit status are this script's. Takes root and systemd-nspawn: where that is not given, a line
# "skipped: why" and 9.
set -u
layer=$(realpath "$1")
shift
skip() { echo "skipped: $1"; exit 9; }
[ "$(id -u)" = 0 ] || skip "booting a systemd takes root"
command -v systemd-nspawn >/dev/null || skip "systemd-nspawn is missing; install systemd-container"
if [ -z "${WITH_SYSTEMD_INSIDE-}" ]; then # mounts of our own, which end with us however we end
    unshare --mount --propagation private true 2>/dev/null || skip "mounts are not permitted here"
    WITH_SYSTEMD_INSIDE=$(mktemp -d)
    export WITH_SYSTEMD_INSIDE
    unshare --mount --propagation private "$0" "$layer" "$@"
    rc=$?
    rm -rf "$WITH_SYSTEMD_INSIDE"
    exit $rc
fi

top=$WITH_SYSTEMD_INSIDE
mount -t tmpfs -o size=2G tmpfs "$top" || skip "mounts are not permitted here"
mkdir "$top"/{up,work,root,out}
cp -a "$layer"/* "$top/up"
mount -t overlay overlay -o "lowerdir=${WITH_SYSTEMD_ROOT:-/},upperdir=$top/up,workdir=$top/work" "$top/root" ||
    skip "overlay mounts are not permitted here"
root=$top/root
: >"$root/etc/machine-id"
mkdir -p "$root/etc/systemd/system"
cat >"$root/etc/systemd/system/under-test.target" <<'UNIT'
[Unit]
Requires=basic.target under-test.service
After=basic.target
AllowIsolate=yes
UNIT
cat >"$root/etc/systemd/system/under-test.service" <<'UNIT'
[Unit]
After=basic.target
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
TimeoutStartSec=infinity
StandardOutput=file:/under-test/log
StandardError=inherit
ExecStart=/bin/bash /under-test/run
UNIT
printf '%q ' "$@" >"$top/out/run"
echo '; echo $? >/under-test/rc' >>"$top/out/run"
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout -k 10 "${WITH_SYSTEMD_TIMEOUT:-300}" systemd-nspawn --quiet --directory="$root" --machine="under-test-$$" \
    --register=no --keep-unit --capability=all --bind="$top/out:/under-test" --boot \
    systemd.unit=under-test.target systemd.show_status=no >"$top/console" 2>&1 </dev/null
[ -e "$top/out/log" ] || { tail -n 5 "$top/console"; skip "a systemd does not boot here: $(tail -n 1 "$top/console")"; }
cat "$top/out/log"
[ -s "$top/out/rc" ] || { echo "the program did not end in time; the console:"; tail -n 20 "$top/console"; exit 1; }
exit "$(cat "$top/out/rc")"
