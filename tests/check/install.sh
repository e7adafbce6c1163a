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
    include/diffuse.h include/diffuse_err.h lib/systemd/system/diffused.service lib/systemd/system/diffused@.service \
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
"$root/usr/bin/diffused" --config "$root/etc/diffused/diffused.conf" --set model=model/pretrained/robot-text.safetensors --check >/dev/null || { echo "its own configuration does not pass --check"; bad=1; }
mkdir -p "$root/etc/systemd/system/multi-user.target.wants" # as enabling does
ln -s /usr/lib/systemd/system/diffused.service "$root/etc/systemd/system/multi-user.target.wants/"
ln -s /usr/lib/systemd/system/diffused@.service "$root/etc/systemd/system/multi-user.target.wants/diffused@a.service"
make -s --no-print-directory B="$build" uninstall PREFIX=/usr DESTDIR="$root" >/dev/null || bad=1
left=$(find "$root" ! -type d ! -path "$root/etc/diffused/diffused.conf")
[ -z "$left" ] || { echo "left by uninstall: $left"; bad=1; }

# Elsewhere, everything is below PREFIX, and what the machine has to learn of it is done or told.
mkdir "$root/bin" "$root/there"
printf '#!/bin/sh\nexit 1\n' >"$root/bin/ldconfig"
# shellcheck disable=SC2016 # the dollars are the stand-ins'
printf '#!/bin/sh\necho "journalctl $*" >>"%s/done"\n' "$root" >"$root/bin/journalctl"
chmod +x "$root"/bin/*
PATH=$root/bin:$PATH make -s --no-print-directory B="$build" install PREFIX="$root/there" >"$root.log" 2>&1 || { cat "$root.log"; bad=1; }
[ -s "$root/there/etc/diffused/diffused.conf" ] || { echo "the configuration is not below PREFIX"; bad=1; }
grep -qF -- "--config $root/there/etc/diffused/diffused.conf" "$root/there/lib/systemd/system/diffused.service" || { echo "the unit reads another configuration"; bad=1; }
grep -qx "journalctl --update-catalog" "$root/done" || { echo "the journal is not told of the catalogue"; bad=1; }
grep -q "install: not done: ldconfig .*$root/there/lib is named" "$root.log" || { echo "an ldconfig that fails is not told: $(cat "$root.log")"; bad=1; }
make -s --no-print-directory B="$build" uninstall PREFIX="$root/there" >/dev/null || bad=1
left=$(find "$root/there" ! -type d ! -path "*/etc/diffused/diffused.conf")
[ -z "$left" ] || { echo "left by uninstall: $left"; bad=1; }

# What the package does with the instances of diffused@.service: systemctl and deb-systemd-invoke stand in.
printf '#!/bin/sh\necho "diffused@a.service loaded active running Text"\n' >"$root/bin/systemctl"
printf '#!/bin/sh\necho "invoke $*" >>"%s/done"\n' "$root" >"$root/bin/deb-systemd-invoke"
chmod +x "$root"/bin/*
script() { # SCRIPT ARGUMENT...
    sed "s|/run/systemd/system|$root/bin|g; s|/var/lib|$root/var|g; s|/etc/|$root/etc/|g" "systemd/debian/diffused.$1" >"$root/script"
    PATH=$root/bin:$PATH sh "$root/script" "${@:2}" || { echo "diffused.$1 fails"; bad=1; }
}
mkdir -p "$root/var/diffused-a" "$root/var/other"
ln -s /nowhere "$root/etc/systemd/system/multi-user.target.wants/diffused@a.service"
script postinst configure
! grep -q invoke "$root/done" || { echo "a first installation restarts instances"; bad=1; }
script postinst configure 0.0.1-1
grep -qx "invoke restart diffused@a.service" "$root/done" || { echo "an upgrade leaves the old program to instances"; bad=1; }
script prerm upgrade
! grep -q "invoke stop" "$root/done" || { echo "an upgrade stops instances"; bad=1; }
script prerm remove
grep -qx "invoke stop diffused@a.service" "$root/done" || { echo "removal leaves instances running"; bad=1; }
script postrm remove
[ -d "$root/var/diffused-a" ] || { echo "removal takes state away"; bad=1; }
script postrm purge
left=$(find "$root/var" "$root/etc/systemd" -name 'diffused*')
[ -z "$left" ] || { echo "purge leaves: $left"; bad=1; }
[ -d "$root/var/other" ] || { echo "purge takes what is not its own"; bad=1; }
rm -f "$root.log"
exit $bad
