"""Plot the scores of a run of s2h-filter: a histogram for each measure, kept pairs above dropped ones, with the
thresholds."""

from __future__ import annotations

import math
from typing import Any

from s2h.errors import plural

KEPT, DROPPED, BOUND = "#2f6f9f", "#d9a441", "#a3242b"
ACROSS = 3


def draw(report: dict[str, Any], path: str) -> None:
    """Draw a report of `s2h.filters.run_report.Histograms` as a PNG."""
    from matplotlib.figure import Figure

    from s2h.streams.files import save_figure

    measures = report["measures"]
    rows = max(1, math.ceil(len(measures) / ACROSS))
    columns = min(ACROSS, max(1, len(measures)))
    figure = Figure(figsize=(4.2 * columns, 3 * rows), layout="constrained")
    if not measures:
        figure.text(0.5, 0.5, "no scores", ha="center")
    for i, (name, found) in enumerate(measures.items()):
        axes = figure.add_subplot(rows, columns, i + 1)
        edges = found["edges"]
        width = edges[1] - edges[0]
        places = [edge + width / 2 for edge in edges[:-1]]
        axes.bar(places, found["dropped"], width, color=DROPPED, label="dropped")
        axes.bar(places, found["kept"], width, bottom=found["dropped"], color=KEPT, label="kept")
        for end in ("least", "most"):
            if found["least_seen"] <= found.get(end, math.inf) <= found["most_seen"]:
                axes.axvline(found[end], color=BOUND, linewidth=1.5, label=f"{end} {found[end]:g}")
        axes.set_title(f"{name} ({found['pairs']:,} {plural(found['pairs'], 'pair')})", fontsize=10)
        axes.set_ylabel("pairs" if i % columns == 0 else "")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=7, frameon=False)
    save_figure(figure, path, dpi=110)
