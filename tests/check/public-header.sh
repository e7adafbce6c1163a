#!/bin/sh
# The public header compiles alone as C89, C17 and C++, and the shared library exports what it declares
# and nothing else. B names the build folder (default: build).
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo '#include <diffuse.h>
int main(void) { return diffuse_version() == 0; }' > "$work/main.c"
cp "$work/main.c" "$work/main.cc"
cp client/diffuse.h proto/diffuse_err.h "$work"
for std in c89 c17; do
    ${CC:-cc} -std=$std -Wall -Wextra -pedantic -Werror -I"$work" -fsyntax-only "$work/main.c"
done
if command -v "${CXX:-c++}" > /dev/null; then
    "${CXX:-c++}" -Wall -Wextra -pedantic -Werror -I"$work" -fsyntax-only "$work/main.cc"
else
    echo "left out: the headers in C++: ${CXX:-c++} is not installed"
fi

[ -e "$B/libdiffuse.so.0" ] || { echo "$B/libdiffuse.so.0 is not built"; exit 1; }
${CC:-cc} -E -P -I"$work" "$work/main.c" | tr '\n' ' ' | grep -oE 'diffuse_[a-z_]+ ?\(' |
    tr -d ' (' | sort -u > "$work/declared"
nm -D --defined-only "$B/libdiffuse.so.0" | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' |
    sort -u > "$work/exported"
diff "$work/declared" "$work/exported" || {
    echo "public-header: declared in client/diffuse.h (<) and exported by libdiffuse.so.0 (>) differ"
    exit 1
}
