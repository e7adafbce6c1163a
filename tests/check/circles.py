#!/usr/bin/python3
"""circles.py [ROOT] - the shape of the house, as far as a script can hold it.

No module (x.c, x.h and x.def together, and parts of it, x_part.h and the like) includes another one
that includes it again, by whatever way; no folder does so with another; and no folder holds more than
30 sources. Which folder may include which is the table of layers.sh.
"""
import collections
import os
import re
import subprocess
import sys

MOST = 30
SOURCES = (".c", ".h", ".def", ".py", ".sh")
C_SOURCES = (".c", ".h", ".def")
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


def tracked():
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], check=True, capture_output=True, text=True)
    return [n for n in names.stdout.split("\n") if n and os.path.isfile(n)]


def module(path):
    return os.path.splitext(path)[0]


def arrows(paths):
    """{module: {module: file that includes it}}, and includes that lead nowhere."""
    known, result, lost = set(paths), {}, []
    for path in paths:
        here = result.setdefault(module(path), {})
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for name in INCLUDE.findall(text):
            beside = os.path.join(os.path.dirname(path), name)
            target = name if name in known else beside if beside in known else None
            if target is None:
                # made by protoc, or found beside the installed header
                if os.path.basename(name) not in ("diffused.pb-c.h", "diffuse_err.h", "cmocka.h"):
                    lost.append(f'{path}: includes "{name}", which is no file of the tree')
            elif module(target) != module(path):
                here.setdefault(module(target), path)
    return result, lost


def one_module(group):
    """One that is laid out in several files, as dataset and dataset_kind: these may know each other."""
    first = min(group, key=len)
    return all(name.startswith(first) for name in group)


def knots(graph):
    """Strongly connected sets of more than one node (Tarjan, without recursion)."""
    number, low, stack, on, found = {}, {}, [], set(), []
    for root in sorted(graph):
        if root in number:
            continue
        work = [(root, iter(sorted(graph[root])))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on.add(root)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in number:
                    number[other] = low[other] = len(number)
                    stack.append(other)
                    on.add(other)
                    work.append((other, iter(sorted(graph.get(other, ())))))
                    break
                if other in on:
                    low[node] = min(low[node], number[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    group = []
                    while not group or group[-1] != node:
                        group.append(stack.pop())
                        on.discard(group[-1])
                    if len(group) > 1:
                        found.append(sorted(group))
    return found


def main():
    os.chdir(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    paths = tracked()
    modules, bad = arrows([p for p in paths if p.endswith(C_SOURCES)])
    for group in knots(modules):
        if one_module(group):
            continue
        ties = [f"{modules[a][b]} -> {b}" for a in group for b in sorted(modules[a]) if b in group]
        bad.append("modules that include each other: " + " ".join(group) + "\n    " + "\n    ".join(ties))

    folders = collections.defaultdict(set)
    for name, others in modules.items():
        folders[os.path.dirname(name)] |= {os.path.dirname(o) for o in others} - {os.path.dirname(name)}
    for group in knots(folders):
        bad.append("folders that include each other: " + " ".join(group))

    held = collections.Counter(os.path.dirname(p) for p in paths if p.endswith(SOURCES))
    bad += [f"{folder}/: {n} sources, at most {MOST}" for folder, n in sorted(held.items()) if n > MOST]
    for line in bad:
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
