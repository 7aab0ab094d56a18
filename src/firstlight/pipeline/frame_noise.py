"""Noise of files that lie on one another: what one differs from the others by, stars and nebulae being in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from firstlight.pipeline.members import APART, Member
from firstlight.pipeline.sky_noise import noise_of_sky

FEWEST = 3
"""Files from which on it is known whose noise is whose."""
ENOUGH = 2000
"""Pixels that all files show."""


def told_by_each_other(
    members: Sequence[Member], lines: Sequence[tuple[np.ndarray, np.ndarray]] | None
) -> list[Member]:
    """The members, without their samples, their noise measured on what each differs from the mean of all by.

    ``lines`` (factor and summand per channel) bring them to one level; None: they do not lie on one another.

    In a crowded field (10,000 stars in a million pixels) pixels of one resampled frame differ from those four further
    on by a tenth more than noise makes them: there are too few without a star. Files that bring a variance are
    believed, and nothing changes where there are few files or little is common to all.
    """
    members = list(members)
    if (
        lines is None
        or len(members) < FEWEST
        or any(m.sample is None or m.beside.variance is not None for m in members)
    ):
        return [replace(m, sample=None) for m in members]
    n, channels = len(members), len(members[0].noise)
    noise = np.array([m.noise for m in members], np.float64)
    for channel in range(channels):
        values = [
            np.where(np.isfinite(seen), seen, np.float32(np.nan)) * line[0][channel] + line[1][channel]
            for seen, line in zip((m.sample[channel] for m in members), lines)  # type: ignore[index]
        ]
        mean = np.mean(values, axis=0, dtype=np.float64)
        if np.isfinite(mean).sum() < ENOUGH:
            continue
        off = np.array([noise_of_sky([(each - mean).astype(np.float32)], APART) ** 2 for each in values])
        # Each is in the mean too.
        total = off.sum() * n / (n - 1)
        own = (off - total / n**2) * n / (n - 2)
        found = np.sqrt(np.maximum(own, 0.1 * off)) / np.abs([line[0][channel] for line in lines])
        # Stars that the seeing or the scale leaves in the differences are no noise either.
        noise[:, channel] = np.where(found > 0, np.minimum(found, noise[:, channel]), noise[:, channel])
    return [replace(m, noise=each, sample=None) for m, each in zip(members, noise)]
