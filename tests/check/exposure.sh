#!/bin/bash
# exposure.sh - what systemd-analyze thinks of the units, with and without their drop-ins: the exposure is printed,
# and must not grow. 0.0 is a service that can do nothing, 10.0 one that can do everything.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1
command -v systemd-analyze >/dev/null || { echo "skipped: systemd-analyze is not installed"; exit 9; }
systemd-analyze --help | grep -q -- --offline || { echo "skipped: this systemd-analyze has no --offline"; exit 9; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
bad=0
mkdir -p "$root/unit" "$root/usr/bin"
# Only the units, so that nothing has to be built.
make -s --no-print-directory units PREFIX=/usr UNITS="$root/unit" || exit 1

exposure() { # MOST UNIT [DROP-IN...]
    local most=$1 unit=$2 tenths shown
    shift 2
    rm -rf "$root/unit/$unit.d"
    mkdir "$root/unit/$unit.d"
    for drop_in; do cp "systemd/drop-in/$drop_in.conf" "$root/unit/$unit.d"; done
    systemd-analyze security --offline=true --no-pager "$root/unit/$unit" >"$root/said" 2>"$root/complaints"
    shown=$(sed -n 's/.*Overall exposure level for .*: \([0-9]*\.[0-9]\) .*/\1/p' "$root/said")
    echo "$unit${*:+ with $*}: exposure ${shown:-unknown}, at most $most"
    tenths=${shown/./}
    if [ -z "$tenths" ] || [ "$((10#$tenths))" -gt "$((10#${most/./}))" ]; then
        cat "$root/said" "$root/complaints"
        bad=1
    fi
    if grep -v 'Unknown key name .Restart\(Steps\|MaxDelaySec\)' "$root/complaints" | grep -q 'diffused.*:[0-9]*:'; then
        cat "$root/complaints" # what systemd does not understand protects nobody
        bad=1
    fi
}
exposure 0.5 diffused.service
exposure 0.5 diffused@.service
exposure 1.4 diffused.service tcp
exposure 0.7 diffused.service groups
exposure 1.4 diffused.service tcp groups
exit $bad
