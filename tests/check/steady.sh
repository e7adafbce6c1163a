#!/bin/bash
# steady.sh [ROOT] - tests/run counts and names what was skipped, failed or lost; no system test decides by a fixed time.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1
bad=0

# --- what tests/run says about tests of every kind ---
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
mkdir -p "$build/tests/unit"
program() { # NAME LINE STATUS
    printf '#!/bin/sh\nprintf "%s"\nexit %s\n' "$2" "$3" >"$build/tests/unit/$1"
    chmod +x "$build/tests/unit/$1"
}
program good 'fine\n' 0
program absent 'skipped: no such machine\n' 9
program partly 'left out: half: no zsh\nleft out: half: no zsh\nleft out: other: no ear\n' 0
program quiet '[  SKIPPED ] test_bare\n[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] test_bare\n\n 1 SKIPPED TEST(S)\n' 0
program named 'left out: test_told: why\n[  SKIPPED ] test_told\n' 0
program broken 'left out: not to be counted: it failed\n' 3
names=()
for name in good absent partly quiet named broken none; do names+=("$build:unit/$name"); done
said=$(tests/run -j 2 "${names[@]}" 2>&1)
[ $? = 1 ] || { echo "tests/run: a failure does not show in its exit status"; bad=1; }
[ "$(tail -n 1 <<<"$said")" = "4 passed, 2 failed, 5 skipped" ] || { echo "tests/run counts: $(tail -n 1 <<<"$said")"; bad=1; }
for line in "unit/absent: no such machine" "unit/partly, in part: half: no zsh" "unit/partly, in part: other: no ear" \
    "unit/quiet, in part: test_bare" "unit/named, in part: test_told: why"; do
    [ "$(grep -cxF "  $line" <<<"$said")" = 1 ] || { echo "tests/run does not name once: $line"; bad=1; }
done
[ "$(grep -cE '^  +[0-9]+ s  unit/' <<<"$said")" = 7 ] || { echo "tests/run does not show how long tests took"; bad=1; }
tests/run "$build:unit/good" >/dev/null || { echo "tests/run fails without a failure"; bad=1; }

# --- no fixed times ---
# A sleep belongs into a loop that looks for an event. Elsewhere its line says, behind "# paced:", what it is for that
# a slow machine cannot spoil.
/usr/bin/python3 - tests/system/*.py tests/lib/*.py <<'PYTHON' || bad=1
import ast
import sys

bad = False
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        source = file.read()
    lines = source.split("\n")

    def look(node, awaits):
        global bad
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            awaits = False
        if isinstance(node, ast.While) or isinstance(node, ast.For) and any(
                isinstance(n, (ast.Return, ast.Break)) for n in ast.walk(node)):
            awaits = True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sleep":
            if not awaits and "# paced: " not in lines[node.lineno - 1]:
                print(f"{path}:{node.lineno}: a sleep outside a loop that waits for an event: {lines[node.lineno - 1].strip()}")
                bad = True
        for child in ast.iter_child_nodes(node):
            look(child, awaits)

    look(ast.parse(source), False)
sys.exit(bad)
PYTHON
if grep -nE '^[^#]*\bsleep [0-9]' tests/system/*.sh tests/check/*.sh | grep -v 'tests/check/steady.sh'; then
    echo "a shell script that waits for a fixed time"
    bad=1
fi
exit $bad
