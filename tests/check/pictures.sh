#!/bin/sh
# pictures.sh [ROOT] - every committed picture is XML, its numbers have no exponents, and no text lies over another.
cd "${1:-$(dirname "$0")/../..}" || exit 1
exec python3 - <<'END'
import glob
import re
import sys
import xml.etree.ElementTree as tree

EXPONENT = re.compile(r"\d[eE][+-]?\d")
bad = 0


def complain(path, what):
    global bad
    print(f"{path}: {what}")
    bad = 1


def width(text, size):
    """Less than any usual font takes."""
    return sum(0.25 if c in "ijl.,:;'|!()[] ft1" else 0.5 for c in text) * size


def boxes(element, inherited):
    """Where the texts that stand upright are; what is said of a group holds for all in it."""
    own = {**inherited, **element.attrib}
    if element.tag.endswith("}text") and element.text and "x" in own and "rotate" not in own.get("transform", ""):
        x, y, size = float(own["x"]), float(own["y"]), float(own.get("font-size", 12))
        wide = width(element.text, size)
        x -= {"start": 0, "middle": wide / 2, "end": wide}[own.get("text-anchor", "start")]
        yield x, y - 0.6 * size, x + wide, y, element.text
    for child in element:
        yield from boxes(child, {k: v for k, v in own.items() if k in ("font-size", "text-anchor")})


def check(path):
    try:
        root = tree.parse(path).getroot()
    except tree.ParseError as why:
        complain(path, f"no XML: {why}")
        return
    for element in root.iter():
        if element.tag.endswith("}text") and EXPONENT.search(element.text or ""):
            complain(path, f"a number with an exponent: {element.text}")
    found = list(boxes(root, {}))
    for i, p in enumerate(found):
        for q in found[i + 1:]:
            if p[0] < q[2] and q[0] < p[2] and p[1] < q[3] and q[1] < p[3]:
                complain(path, f"{p[4]!r} lies over {q[4]!r}")


pictures = sorted(glob.glob("docs/**/*.svg", recursive=True))
if not pictures:
    complain("docs", "no pictures")
for name in pictures:
    check(name)
sys.exit(bad)
END
