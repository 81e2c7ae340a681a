# SPDX-License-Identifier: ISC
"""Line charts as SVG files that stand by themselves, on a light and on a dark page: both axes logarithmic, a line's
name at its end, every value in a tooltip."""
import math
from html import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 74, 190, 52, 56
LABEL_GAP = 16
# Of the series, on a light and on a dark page.
COLOURS = (("#0969da", "#58a6ff"), ("#bc4c00", "#f0883e"), ("#1a7f37", "#56d364"), ("#8250df", "#bc8cff"))


def style():
    """Without variables, which not every program that draws SVG knows."""
    def series(dark):
        return "\n".join(f".s{i} .line {{ stroke: {pair[dark]}; }} .s{i} .dot, .s{i} .name {{ fill: {pair[dark]}; }}"
                         for i, pair in enumerate(COLOURS))
    return f"""svg {{ font: 13px system-ui, sans-serif; }}
.page {{ fill: #ffffff; }} .text {{ fill: #1f2328; }} .soft {{ fill: #59636e; }} .grid {{ stroke: #d8dee4; }}
.line {{ fill: none; stroke-width: 2.5; }} .second {{ stroke-dasharray: 6 4; }} .name {{ font-weight: 600; }}
{series(0)}
@media (prefers-color-scheme: dark) {{
.page {{ fill: #0d1117; }} .text {{ fill: #e6edf3; }} .soft {{ fill: #9198a1; }} .grid {{ stroke: #30363d; }}
{series(1)}
}}
"""


def short(value):
    """1500 → 1.5 k."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.3g} {name}"
    return f"{value:.3g}"


def ticks(low, high):
    return [10.0 ** power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def spread(wanted):
    """Heights of names, moved apart where they would cover each other."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [0.0] * len(wanted)
    last = -LABEL_GAP
    for i in order:
        last = placed[i] = max(wanted[i], last + LABEL_GAP)
    overhang = max(0, last - (HEIGHT - BOTTOM))
    return [at - overhang for at in placed]


def line_chart(title, x_title, y_title, series, x_name=short):
    """`series`: (name, number of its colour, whether its line is dashed, [(x, y)]). Returns the SVG's text."""
    points = [point for *_, values in series for point in values]
    xs = sorted({x for x, _ in points})
    y_ticks = ticks(min(y for _, y in points), max(y for _, y in points))
    x_low, x_high = math.log10(xs[0]), math.log10(xs[-1])
    y_low, y_high = math.log10(y_ticks[0]), math.log10(y_ticks[-1])

    def at_x(x):
        return LEFT + (math.log10(x) - x_low) / ((x_high - x_low) or 1) * (WIDTH - LEFT - RIGHT)

    def at_y(y):
        return HEIGHT - BOTTOM - (math.log10(y) - y_low) / ((y_high - y_low) or 1) * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
           f"<title>{escape(title)}</title>", f"<style>{style()}</style>",
           f'<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>',
           f'<text class="text" x="16" y="24" font-size="16" font-weight="600">{escape(title)}</text>',
           f'<text class="soft" x="16" y="42">{escape(y_title)}</text>',
           f'<text class="soft" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 14}" text-anchor="middle">{escape(x_title)}</text>']
    for y in y_ticks:
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at_y(y):.1f}" y2="{at_y(y):.1f}"/>'
                   f'<text class="soft" x="{LEFT - 8}" y="{at_y(y) + 4:.1f}" text-anchor="end">{short(y)}</text>')
    for x in xs:
        out.append(f'<text class="soft" x="{at_x(x):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{escape(x_name(x))}</text>')
    heights = spread([at_y(values[-1][1]) + 4 for *_, values in series])
    for (name, colour, is_dashed, values), height in zip(series, heights):
        path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in values)
        out.append(f'<g class="s{colour}"><polyline class="line{" second" if is_dashed else ""}" points="{path}"/>')
        out += [f'<circle class="dot" cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="4">'
                f"<title>{escape(name)}, {escape(x_name(x))}: {short(y)}</title></circle>" for x, y in values]
        out.append(f'<text class="name" x="{at_x(values[-1][0]) + 10:.1f}" y="{height:.1f}">{escape(name)}</text></g>')
    return "\n".join([*out, "</svg>", ""])
