#!/bin/bash
# check.sh - the packages that `make deb` built, in a fresh Debian under a booted systemd: installed, upgraded, removed,
# purged (inside.sh has the steps). B names the build folder; two revisions must be there, the second an upgrade.
set -u
cd "$(dirname "$0")/../.." || exit 1
debs=$(realpath "${B:-build}/deb")
work=$(mktemp -d /var/tmp/diffused-check.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT

tests/lib/debian_tree.sh "$debs/debian-12.tar" "$work/tree" || exit
mkdir -p "$work/layer/packages/old" "$work/layer/packages/new"
for name in diffused diffusectl diffuse-tools libdiffuse0 libdiffuse-dev; do
    if ! { cp "$debs/${name}"_*-1_*.deb "$work/layer/packages/old/" && cp "$debs/${name}"_*-2_*.deb "$work/layer/packages/new/"; }; then
        echo "$name is not built in two revisions: make deb, make deb DEB_REVISION=2"
        exit 1
    fi
done
cp tests/deb/inside.sh tests/deb/client.c "$work/layer/packages/"
WITH_SYSTEMD_ROOT=$work/tree WITH_SYSTEMD_TIMEOUT=900 tests/lib/with_systemd.sh "$work/layer" /bin/bash /packages/inside.sh
