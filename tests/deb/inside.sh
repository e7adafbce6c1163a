#!/bin/bash
# inside.sh - run by check.sh as root in a fresh, booted Debian: the life of the packages in /packages.
set -u
cd /packages || exit 1
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
bad=0
fault() { echo "FAULT: $*"; bad=1; }
step() { echo "--- $*"; }
# In a row: installed, wanted, or gone.
state() { dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null | tr -d ' '; }
get() { apt-get -qq -o Dpkg::Use-Pty=0 -y "$@" >/packages/apt.log 2>&1 || { tail -n 25 /packages/apt.log; fault "apt-get $*"; }; }
text='left wheel motor 92 C, derating'
serves() {
    local said
    systemctl is-active --quiet diffused || fault "$1: diffused is not active"
    said=$(diffusectl classify "$text" 2>&1)
    [[ $said == motor.overheat* ]] || fault "$1: the label is '$said'"
}
everything() { find / -xdev -not -path '/proc/*' -name '*diffuse*' -not -path '/packages*' -not -path '/var/log/*' | sort; }

step "nothing of it is here"
[ -z "$(everything)" ] || fault "the tree is not fresh: $(everything)"
get update

step "from package to first label"
get install --no-install-recommends ./old/diffused_*.deb ./old/diffusectl_*.deb
systemctl start diffused || fault "it does not start"
serves "installed"
systemctl is-enabled --quiet diffused || fault "it is not enabled"
systemctl show -p ActiveState,Result diffused | tr '\n' ' '; echo
[ -e /usr/share/man/man8/diffused.8.gz ] || fault "no manual page"
journalctl -q --no-pager -u diffused | grep -iE 'error|fail|denied' && fault "the journal complains"
systemctl reload diffused || fault "it does not reload"
serves "reloaded"
systemd-analyze security --no-pager diffused 2>/dev/null | tail -n 1

step "the library, from -dev to a running program"
get install --no-install-recommends ./old/*.deb gcc libc6-dev pkgconf
# shellcheck disable=SC2046 # words
gcc -Wall -Werror -o client client.c $(pkg-config --cflags --libs diffuse) || fault "a client does not compile"
[ "$(./client "$text")" = motor.overheat ] || fault "the client does not get its label"
[ "$(echo "$text" | diffuse classify --model /usr/share/diffused/robot-text.safetensors | cut -f1)" = motor.overheat ] || fault "diffuse does not classify"
serves "the tools are here"

step "upgrade, with a configuration that was changed and a file of state"
echo 'scores = yes' >>/etc/diffused/diffused.conf
systemctl restart diffused || fault "it does not restart"
: >/var/lib/diffused/kept
cp /etc/diffused/diffused.conf /etc/diffused/second.conf
systemctl enable -q --now diffused@second || fault "an instance does not start"
instance=$(systemctl show -p MainPID --value diffused@second)
before=$(systemctl show -p MainPID --value diffused)
get install --no-install-recommends -o Dpkg::Options::=--force-confdef ./new/*.deb
[[ $(dpkg-query -W -f='${Version}' diffused) == *-2 ]] || fault "it is not upgraded"
grep -q '^scores = yes' /etc/diffused/diffused.conf || fault "the upgrade changed the configuration"
[ -e /var/lib/diffused/kept ] || fault "the upgrade took state away"
serves "upgraded"
[ "$(systemctl show -p MainPID --value diffused)" != "$before" ] || fault "the old program goes on"
systemctl is-active --quiet diffused@second || fault "upgraded, the instance is not active"
[ "$(systemctl show -p MainPID --value diffused@second)" != "$instance" ] || fault "the instance's old program goes on"

step "the same again, and back"
get install --no-install-recommends --reinstall ./new/diffused_*.deb
serves "installed again"

step "remove: the service ends, configuration and state stay"
get remove diffused
! systemctl is-active --quiet diffused || fault "removed, it is active"
[ "$(state diffused)" = rc ] || fault "removed, it is $(state diffused)"
! systemctl is-active --quiet diffused@second || fault "removed, its instance is active"
for file in /etc/diffused/diffused.conf /var/lib/diffused/kept /var/lib/diffused-second; do
    [ -e $file ] || fault "remove took $file"
done
get install --no-install-recommends ./new/diffused_*.deb
serves "here again"

step "purge: nothing is left"
systemctl start diffused@second || fault "the instance does not start again"
rm /etc/diffused/second.conf # the administrator's own
get purge diffused diffusectl diffuse-tools libdiffuse0 libdiffuse-dev
[ -z "$(state diffused)" ] || fault "purged, it is $(state diffused)"
systemctl daemon-reload
systemctl is-failed --quiet diffused && fault "it is failed"
! systemctl is-active --quiet diffused@second || fault "purged, its instance is active"
left=$(everything)
[ -z "$left" ] || fault "purge leaves: $left"
[ $bad = 0 ] && echo "installed, upgraded, removed and purged cleanly"
exit $bad
