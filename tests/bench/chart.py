"""Line charts as SVG: panels below each other over one horizontal axis, with a legend of their own each."""
import collections
import html
import math

INK, GREY, RULE = "#24292f", "#6e7781", "#e6e8eb"
WIDTH, LEFT, RIGHT, PLOT = 860, 62, 218, 200  # pixels; the legend stands in RIGHT
HEAD, GAP, FOOT = 44, 46, 40
FONT = "font-family='DejaVu Sans, Verdana, sans-serif'"

# points: [(x, y)]; dash: "" or as in SVG; step: the value holds until the next point
Line = collections.namedtuple("Line", "name colour points dash step", defaults=("", False))
Panel = collections.namedtuple("Panel", "title unit lines marks", defaults=((),))  # marks: x of small ticks


def nice_step(span, parts):
    unit = 10 ** math.floor(math.log10(span / parts))
    return next(s * unit for s in (1, 2, 5, 10) if span / (s * unit) <= parts)


def limits(values):
    low, high = min(values), max(values)
    if high - low < 1e-9:
        low, high = low - 1, high + 1
    step = nice_step(high - low, 5)
    return step * math.floor(low / step), step * math.ceil(high / step), step


def show(value, step):
    return f"{value:,.{max(0, math.ceil(-math.log10(step) - 1e-9))}f}"


def text(x, y, what, size=12, colour=INK, anchor="start", bold=False, turn=None):
    weight = " font-weight='bold'" if bold else ""
    turned = f" transform='rotate({turn} {x:.1f} {y:.1f})'" if turn is not None else ""
    return (f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{colour}' text-anchor='{anchor}' {FONT}{weight}"
            f"{turned}>{html.escape(what)}</text>")


def rule(x1, y1, x2, y2, colour=RULE, width=1.0, dash=""):
    return (f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' stroke-width='{width}'"
            + (f" stroke-dasharray='{dash}'" if dash else "") + "/>")


def path(line, to_x, to_y, end):
    points = list(line.points)
    if line.step:
        stairs = []
        for (x, y), (after, _) in zip(points, points[1:] + [(end, None)]):
            stairs += [(x, y), (after, y)]
        points = stairs
    drawn = " ".join(f"{to_x(x):.1f},{to_y(y):.1f}" for x, y in points)
    dash = f" stroke-dasharray='{line.dash}'" if line.dash else ""
    return f"<polyline points='{drawn}' fill='none' stroke='{line.colour}' stroke-width='2'{dash}/>"


def draw_panel(panel, top, width, end):
    low, high, step = limits([y for line in panel.lines for _, y in line.points])

    def to_x(x):
        return LEFT + width * x / end

    def to_y(y):
        return top + PLOT * (1 - (y - low) / (high - low))

    out = [text(LEFT, top - 10, panel.title, 13, bold=True),
           text(18, top + PLOT / 2, panel.unit, 11, GREY, "middle", turn=-90)]
    for i in range(round((high - low) / step) + 1):
        y = low + i * step
        out += [rule(LEFT, to_y(y), LEFT + width, to_y(y)),
                text(LEFT - 6, to_y(y) + 4, show(y, step), 11, GREY, "end")]
    out += [rule(to_x(x), top + PLOT - 7, to_x(x), top + PLOT, INK) for x in panel.marks]
    for i, line in enumerate(panel.lines):
        out.append(path(line, to_x, to_y, end))
        y = top + 14 + 20 * i
        out += [rule(LEFT + width + 14, y - 4, LEFT + width + 40, y - 4, line.colour, 2, line.dash),
                text(LEFT + width + 46, y, line.name, 11)]
    if panel.marks:
        y = top + 14 + 20 * len(panel.lines)
        out += [rule(LEFT + width + 27, y - 8, LEFT + width + 27, y - 1, INK), text(LEFT + width + 46, y, "promotion", 11)]
    return out


def draw(title, x_title, end, panels):
    """The whole picture; end: the last x."""
    width = WIDTH - LEFT - RIGHT
    height = HEAD + len(panels) * (PLOT + GAP) + FOOT
    out = [f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' "
           f"viewBox='0 0 {WIDTH} {height}'>", f"<rect width='{WIDTH}' height='{height}' fill='white'/>",
           text(LEFT, 22, title, 15, bold=True)]
    bottom = HEAD
    for panel in panels:
        out += draw_panel(panel, bottom + 22, width, end)
        bottom += PLOT + GAP
    step = nice_step(end, 8)
    for i in range(int(end / step) + 1):
        x = LEFT + width * i * step / end
        out.append(text(x, bottom - 6, show(i * step, step), 11, GREY, "middle"))
    out.append(text(LEFT + width / 2, bottom + 16, x_title, 12, GREY, "middle"))
    return "\n".join(out + ["</svg>", ""])
