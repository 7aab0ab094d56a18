"""How a camera ages: level and noise of its biases, dark level and hot pixels, from master to master."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from firstlight.library.describe import settings_words
from firstlight.library.match import NEEDS, compare
from firstlight.library.store import Entry
from firstlight.model.meta import Kind

MONTH = 30.44
"""Days."""


@dataclass(frozen=True)
class Series:
    """Masters of one camera, kind and settings in order of time."""

    camera: str
    kind: Kind
    settings: str
    entries: tuple[Entry, ...]

    @property
    def times(self) -> list[datetime]:
        return [e.frame.meta.start for e in self.entries]  # type: ignore[misc]

    def values(self, fact: str) -> list[float]:
        """A fact of each master; NaN where it has none."""
        return [float(e.facts.get(fact, float("nan"))) for e in self.entries]

    def hot_parts(self) -> list[float]:
        """Hot pixels of each master, per cent."""
        return [100 * e.facts.get("hot", 0) / max(e.facts.get("pixels", 0), 1) for e in self.entries]

    def slope(self, values: Sequence[float]) -> float:
        """Change in a month by a straight line through all but refused masters; NaN for fewer than two dates."""
        days = np.array([(t - self.times[0]).total_seconds() / 86400 for t in self.times])
        known = np.isfinite(values) & ~np.array([bool(e.refused) for e in self.entries])
        if np.count_nonzero(known) < 2 or np.ptp(days[known]) == 0:
            return float("nan")
        return float(np.polyfit(days[known], np.asarray(values)[known], 1)[0]) * MONTH


def series_of(entries: Sequence[Entry]) -> list[Series]:
    """Dated masters sorted into series; refused ones are part of the history too."""
    groups: list[list[Entry]] = []
    dated = [e for e in entries if e.frame.meta.start is not None and e.facts]
    for entry in sorted(dated, key=lambda e: (e.frame.meta.start, e.name)):
        for group in groups:
            fit = compare(group[0].frame, entry.frame, NEEDS[entry.kind])
            exact = not fit.refusals and not [w for w in fit.warnings if "days" not in w]
            if group[0].kind is entry.kind and exact:
                group.append(entry)
                break
        else:
            groups.append([entry])
    found = [Series(g[0].frame.meta.camera or "unknown", g[0].kind, settings_words(g[0]), tuple(g)) for g in groups]
    order = list(NEEDS)
    return sorted(found, key=lambda s: (s.camera, order.index(s.kind), s.settings))


def history_words(series: Sequence[Series]) -> str:
    """Each series as a small table, and its change in a month where it has several dates."""
    lines = []
    for one in series:
        lines.append(f"{one.camera}, {one.kind}, {one.settings}")
        for entry, hot in zip(one.entries, one.hot_parts()):
            facts = entry.facts
            words = [f"level {facts.get('level', float('nan')):.6g}"]
            words += [f"noise of a frame {facts['frame_noise']:.4g}"] if "frame_noise" in facts else []
            words += [f"hot {facts.get('hot', 0)} ({hot:.3f} %)"] if one.kind is Kind.DARK else []
            words += [f"cold {facts.get('cold', 0)}"] if one.kind is Kind.FLAT else []
            words += ["refused"] if entry.refused else []
            lines.append(f"  {entry.frame.meta.start:%Y-%m-%d}  {entry.n_frames:4d} frames  {', '.join(words)}")
        if len(one.entries) > 1:
            change = [f"level {one.slope(one.values('level')):+.3g}"]
            noise = one.slope(one.values("frame_noise"))
            change += [f"noise {noise:+.3g}"] if np.isfinite(noise) else []
            change += [f"hot pixels {one.slope(one.hot_parts()):+.3g} %"] if one.kind is Kind.DARK else []
            lines.append(f"  in a month  {', '.join(change)}")
    return "\n".join(lines)
