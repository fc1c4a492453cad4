#!/usr/bin/env python3
"""Draws a results file of compare_torch.py as SVG: bars relative to the best peer, and TFLOP/s against the ceiling.

Usage: plot_rows.py RESULTS.json [PLOT.svg]; by default the plot lies beside the results. Needs nothing but Python.
"""

import json
import pathlib
import sys
from xml.sax.saxutils import escape

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import bench_report  # noqa: E402
import bench_rows  # noqa: E402

COLOURS = {"gemmd": "#1b7837", "gemmd_static": "#7fbf7b", "cublas": "#999999", "cublaslt_fused": "#4575b4",
           "eager": "#d9d9d9", "compile": "#fdae61", "compile_max": "#d73027"}
LABEL_WIDTH, BAR_WIDTH, BAR_HEIGHT, ROW_GAP, PANEL_GAP, TOP = 330, 420, 9, 14, 60, 74
MAX_RATIO = 2.0  # longer bars are cut there, and say so
MAX_SHARE = 1.1  # of the ceiling


class Svg:
    def __init__(self):
        self._parts = []

    def text(self, x, y, text, size=11, anchor="start"):
        place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
        self._parts.append(f"<text {place}>{escape(text)}</text>")

    def bar(self, x, y, width, colour):
        self._parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{BAR_HEIGHT - 1}" '
                           f'fill="{colour}"/>')

    def line(self, x, top, bottom):
        place = f'x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"'
        self._parts.append(f'<line {place} stroke="#333" stroke-dasharray="3 3"/>')

    def finish(self, width, height):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">'
                f'<rect width="100%" height="100%" fill="white"/>{"".join(self._parts)}</svg>\n')


def best_peer_us(entry):
    times = [entry["times_us"][name] for name in bench_report.peers_of(entry["kind"]) if name in entry["times_us"]]
    return min(times) if times else entry["times_us"]["gemmd"]


def draw_row(svg, entry, y):
    """Returns the row's height."""
    svg.text(LABEL_WIDTH - 8, y + 10, bench_report.label_of(entry), anchor="end")
    if not entry["times_us"]:
        svg.text(LABEL_WIDTH, y + 10, "not verified: " + entry["reason"].splitlines()[0][:90])
        return BAR_HEIGHT + ROW_GAP
    best, names = best_peer_us(entry), [name for name in COLOURS if name in entry["times_us"]]
    right = LABEL_WIDTH + BAR_WIDTH + PANEL_GAP
    ceiling = bench_rows.CEILINGS[entry["dtype"], entry["precision"]] / 1e12
    flops = 2.0 * entry["M"] * entry["K"] * entry["N"]
    for index, name in enumerate(names):
        top, time_us = y + index * BAR_HEIGHT, entry["times_us"][name]
        ratio = time_us / best
        width = min(ratio, MAX_RATIO) / MAX_RATIO * BAR_WIDTH
        svg.bar(LABEL_WIDTH, top, width, COLOURS[name])
        cut = " (cut)" if ratio > MAX_RATIO else ""
        svg.text(LABEL_WIDTH + width + 3, top + BAR_HEIGHT - 2, f"{ratio:.3f}{cut}", size=8)
        tflops = flops / time_us / 1e6
        width = min(tflops / ceiling, MAX_SHARE) / MAX_SHARE * BAR_WIDTH
        svg.bar(right, top, width, COLOURS[name])
        svg.text(right + width + 3, top + BAR_HEIGHT - 2, f"{tflops:.0f}", size=8)
    return len(names) * BAR_HEIGHT + ROW_GAP


def draw(result):
    """The SVG text of a results file."""
    svg = Svg()
    right = LABEL_WIDTH + BAR_WIDTH + PANEL_GAP
    svg.text(12, 20, f"{result['gpu']}, driver {result['driver']}, torch {result['torch']}, commit "
                     f"{result['commit'][:12]}, {result['date']}", size=12)
    x = 12.0
    for name, colour in COLOURS.items():
        svg.bar(x, 30, 10, colour)
        svg.text(x + 14, 38, name)
        x += 110
    svg.text(LABEL_WIDTH, TOP - 12, "time over the best peer's that computes the whole row")
    svg.text(right, TOP - 12, "TFLOP/s; the line is the ceiling")
    y = TOP
    for entry in result["rows"]:
        y += draw_row(svg, entry, y)
    svg.line(LABEL_WIDTH + BAR_WIDTH / MAX_RATIO, TOP - 6, y)
    svg.line(right + BAR_WIDTH / MAX_SHARE, TOP - 6, y)
    return svg.finish(right + BAR_WIDTH + 80, y + 12)


def main(results, plot=None):
    results = pathlib.Path(results)
    plot = pathlib.Path(plot) if plot else results.with_suffix(".svg")
    plot.write_text(draw(json.loads(results.read_text())), encoding="utf-8")
    print(f"wrote {plot}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
