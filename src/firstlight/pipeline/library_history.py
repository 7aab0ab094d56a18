"""The history of a library as a page of plots and a table of numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path
from firstlight.library.drift import Series
from firstlight.model.meta import Kind

COLUMNS = ("camera", "kind", "settings", "date", "frames", "level", "frame_noise", "hot", "cold", "refused", "file")


def write_history(series: Sequence[Series], path: Path) -> Path:
    """Draw the drift of bias, noise and hot pixels (.png, .pdf), or write the numbers (.csv).

    Raises
    ------
    InputError
        Nothing to show, or another suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in (".png", ".pdf", ".csv"):
        raise InputError(f"{path}: the suffix is '{path.suffix}'; .png, .pdf and .csv are allowed")
    if not series:
        raise InputError(f"{path}: the library has no dated masters to draw; library build makes some")
    if path.suffix.lower() == ".csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in series:
            for entry in one.entries:
                facts = entry.facts
                writer.writerow(
                    [one.camera, one.kind.value, one.settings, entry.frame.meta.start.isoformat(), entry.n_frames,  # type: ignore[union-attr]
                     *(facts.get(name, "") for name in ("level", "frame_noise", "hot", "cold")),
                     int(bool(entry.refused)), entry.frame.path.name]
                )  # fmt: skip
        with atomic_path(path) as temporary:
            temporary.write_text(buffer.getvalue(), encoding="utf-8")
        return path
    _draw(series, path)
    return path


def _draw(series: Sequence[Series], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    cameras = list(dict.fromkeys(s.camera for s in series))
    panels = (
        ("level of the bias [adu]", Kind.BIAS, lambda s: s.values("level"), 0.0, True),
        ("noise of a bias frame [adu]", Kind.BIAS, lambda s: s.values("frame_noise"), 0.1, False),
        ("level of the dark [adu]", Kind.DARK, lambda s: s.values("level"), 0.0, True),
        ("hot pixels of the dark [%]", Kind.DARK, lambda s: s.hot_parts(), 0.1, False),
    )
    figure = Figure(figsize=(13, 3.4 * len(cameras) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(cameras), len(panels), squeeze=False)
    for row, camera in zip(axes, cameras):
        for axis, (title, kind, values, least, named) in zip(row, panels):
            shown = [s for s in series if s.camera == camera and s.kind is kind]
            axis.set_title(title, fontsize=9)
            if not shown:
                axis.set_axis_off()
                axis.text(0.5, 0.5, f"no {kind} masters", ha="center", va="center", transform=axis.transAxes)
                continue
            for one in shown:
                points = list(zip(one.times, values(one), one.entries))  # type: ignore[no-untyped-call]
                good = [(t, v) for t, v, e in points if not e.refused]
                bad = [(t, v) for t, v, e in points if e.refused]
                line = axis.plot(*zip(*good), "o-", ms=4, lw=1, label=one.settings)[0] if good else None
                if bad:
                    axis.plot(*zip(*bad), "x", ms=9, mew=2, color=line.get_color() if line else "C3")
            low, high = axis.get_ylim()
            # A noise that is steady must look steady.
            room = least * max(abs(low), abs(high))
            if high - low < room:
                axis.set_ylim((low + high - room) / 2, (low + high + room) / 2)
            axis.grid(alpha=0.3)
            axis.ticklabel_format(axis="y", useOffset=False)
            axis.tick_params(labelsize=8)
            locator = AutoDateLocator(minticks=3, maxticks=6)
            axis.xaxis.set_major_locator(locator)
            axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))
            if named:
                axis.legend(fontsize=6, loc="best")
        row[0].set_ylabel(camera, fontsize=10)
    figure.suptitle("Calibration library: level, noise and hot pixels from master to master (x: refused)", fontsize=11)
    suffix = path.suffix.lower().removeprefix(".")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=suffix, dpi=110, metadata={"CreationDate": None} if suffix == "pdf" else None)
