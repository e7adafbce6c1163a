#!/bin/bash
# build.sh BUILD VERSION REVISION PACKAGE... - Debian packages into BUILD/deb; PACKAGEs are what the build needs.
# README.md says why it works on a copy.
set -eu
cd "$(dirname "$0")/../.."
build=$1 version=$2 revision=$3
shift 3
top=$build/deb/diffused-$version
seconds=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH=$seconds

files() { git ls-files -z 2>/dev/null || find . -path ./build -prune -o -type f -print0; }
mkdir -p "$top"
find "$top" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
files | tar --null --files-from=- --ignore-failed-read -cf - | tar -C "$top" -xf -

cp -r systemd/debian "$top/debian"
rm "$top/debian/build.sh" "$top/debian/README.md"
# As Debian's own tools have it.
maintainer="${DEBFULLNAME:-The diffused authors} <${DEBEMAIL:-diffused@diffused.invalid}>"
needs=$(printf '%s, ' "$@")
sed "s/@BUILD_DEPENDS@/${needs%, }/; s/@MAINTAINER@/$maintainer/" systemd/debian/control.in >"$top/debian/control"
sed "s/@VERSION@/$version/; s/@REVISION@/$revision/; s/@MAINTAINER@/$maintainer/; s/@DATE@/$(LC_ALL=C date -u -R -d "@$seconds")/" \
    systemd/debian/changelog.in >"$top/debian/changelog"
rm "$top"/debian/*.in

log=$build/deb/build.log
cd "$top"
# The build folder is this package's own, whatever called us built.
env -u B -u MAKEFLAGS -u MAKELEVEL -u CFLAGS DEB_BUILD_OPTIONS="parallel=$(nproc)" \
    dpkg-buildpackage -b -us -uc -nc >"$OLDPWD/$log" 2>&1 || { tail -n 30 "$OLDPWD/$log" >&2; exit 1; }
cd "$OLDPWD"
ls "$build"/deb/*_"$version-$revision"_*.deb
