#!/bin/bash
# debian_tree.sh ARCHIVE FOLDER - a Debian 12 with systemd and nothing else of note in FOLDER, which may take packages from
# where this machine does. Made by debootstrap once, and kept as ARCHIVE. Takes root and a network; where they are not
# given, a line "skipped: why" and 9.
set -u
archive=$1 tree=$2
skip() { echo "skipped: $1"; exit 9; }
[ "$(id -u)" = 0 ] || skip "a Debian tree takes root"
command -v debootstrap >/dev/null || skip "debootstrap is missing"

if [ ! -s "$archive" ]; then
    new=$(mktemp -d /var/tmp/diffused-debian.XXXXXX)
    trap 'rm -rf --one-file-system "$new" "$new.log"' EXIT
    # Its own default where this machine names none.
    mirror=$(sed -n 's/^URIs: *\([^ ]*debian\/\?\)$/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
    debootstrap --variant=minbase --include=ca-certificates,systemd,systemd-sysv bookworm "$new" ${mirror:+"$mirror"} >"$new.log" 2>&1 ||
        { tail -n 5 "$new.log"; skip "debootstrap failed: $(tail -n 1 "$new.log")"; }
    tar -C "$new" -cf "$archive.$$" . && mv "$archive.$$" "$archive"
fi
mkdir -p "$tree" && tar -C "$tree" -xf "$archive" || exit 1

# How this machine reaches its packages: sources, proxies, certificates.
if [ -e /etc/apt/sources.list.d/debian.sources ]; then
    rm -f "$tree/etc/apt/sources.list"
    cp /etc/apt/sources.list.d/debian.sources "$tree/etc/apt/sources.list.d/"
fi
for folder in etc/apt/apt.conf.d etc/apt/auth.conf.d etc/apt/keyrings usr/share/keyrings usr/local/share/ca-certificates; do
    [ ! -d "/$folder" ] || { mkdir -p "$tree/$folder" && cp -aL "/$folder/." "$tree/$folder/"; }
done
# Manual pages are packages' too, and a service may be started: what images of containers leave out.
rm -f "$tree"/etc/apt/apt.conf.d/docker-* "$tree"/etc/dpkg/dpkg.cfg.d/*docker* "$tree/usr/sbin/policy-rc.d"
cp -L /etc/resolv.conf /etc/hosts "$tree/etc/"
chroot "$tree" update-ca-certificates >/dev/null 2>&1
exit 0
