#!/bin/bash
# install.sh [ROOT] - make install puts everything where it says, with nothing left to fill in; uninstall takes it away.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1
build=${B:-build}
[ -x "$build/diffused" ] || { echo "$build/diffused is not built"; exit 1; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
bad=0
make -s --no-print-directory B="$build" install PREFIX=/usr DESTDIR="$root" >"$root.log" 2>&1 || { cat "$root.log"; bad=1; }
for file in bin/diffused bin/diffuse bin/diffusectl lib/libdiffuse.so.0 lib/libdiffuse.a lib/pkgconfig/diffuse.pc \
    include/diffuse.h include/diffuse_relay.h include/diffuse_err.h lib/systemd/system/diffused.service lib/systemd/system/diffused@.service \
    lib/sysusers.d/diffused.conf lib/tmpfiles.d/diffused.conf lib/systemd/system-preset/90-diffused.preset \
    share/diffused/systemd/tcp.conf share/diffused/systemd/groups.conf share/diffused/systemd/notify-reload.conf \
    lib/systemd/catalog/diffused.catalog share/diffused/robot-text.safetensors \
    share/man/man8/diffused.8 share/man/man5/diffused.conf.5 share/man/man7/diffused-protocol.7 share/man/man1/diffuse.1 \
    share/man/man1/diffusectl.1 share/man/man3/libdiffuse.3 share/man/man3/diffuse_classify.3 \
    share/bash-completion/completions/diffusectl share/zsh/site-functions/_diffusectl; do
    [ -s "$root/usr/$file" ] || { echo "/usr/$file was not installed"; bad=1; }
done
[ -s "$root/etc/diffused/diffused.conf" ] || { echo "no configuration was installed"; bad=1; }
units=$root/usr/lib/systemd/system
! grep -n '@[A-Z]*@' "$units"/diffused*.service "$root/usr/lib/pkgconfig/diffuse.pc" || bad=1
says() { # UNIT LINE
    grep -qxF "$2" "$units/$1" || { echo "$1 does not say: $2"; bad=1; }
}
says diffused.service 'ExecStart=/usr/bin/diffused --config /etc/diffused/diffused.conf'
says diffused.service 'ExecReload=/usr/bin/diffusectl --endpoint %t/diffused reload'
says diffused.service 'StateDirectory=diffused'
says diffused@.service 'ExecStart=/usr/bin/diffused --config /etc/diffused/%i.conf'
says diffused@.service 'ExecReload=/usr/bin/diffusectl --endpoint %t/diffused-%i reload'
says diffused@.service 'RuntimeDirectory=diffused-%i'
says diffused@.service 'StateDirectory=diffused-%i'
"$root/usr/bin/diffused" --config "$root/etc/diffused/diffused.conf" --check >/dev/null || { echo "its own configuration does not pass --check"; bad=1; }
make -s --no-print-directory B="$build" uninstall PREFIX=/usr DESTDIR="$root" >/dev/null || bad=1
left=$(find "$root/usr" -type f)
[ -z "$left" ] || { echo "left by uninstall: $left"; bad=1; }
rm -f "$root.log"
exit $bad
