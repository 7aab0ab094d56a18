"""How much each frame counts: weights from what was measured on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from firstlight.errors import InputError
from firstlight.ops.stack.formula import evaluate_formula

Weighing = Literal[
    "noise", "snr", "psf", "fwhm", "wfwhm", "stars", "exposure", "equal", "header", "csv", "formula"
]  # fmt: skip

METRICS: dict[str, str] = {
    "stars": "stars found",
    "fwhm": "median FWHM, px",
    "hfr": "median half-flux radius, px",
    "eccentricity": "median eccentricity of the stars",
    "background": "background, adu, mean of the channels",
    "gradient": "range of the background over the frame, adu",
    "noise": "noise of a pixel of the background, adu",
    "snr": "median SNR of the stars found",
    "exposure": "exposure, s",
    "airmass": "airmass, from the header",
    "gain": "e-/adu, from the header",
    "scale": "factor that brings its stars to the flux of the reference's",
    "scaled_noise": "noise after that factor, root mean square of the channels",
    "shared_snr": "SNR, on the scale of the reference's median, of the stars both show",
    "matched": "stars matched with the reference",
    "reference_stars": "stars found on the reference; the same for every frame",
}
"""Numbers of a frame that formulas know by name, in the words of ``frames.csv``."""

FORMULAS: dict[str, str] = {
    "noise": "1 / max(scaled_noise**2, 1e-12)",
    "snr": "shared_snr**2",
    "psf": "1 / max((scaled_noise * fwhm)**2, 1e-12)",
    "fwhm": "1 / fwhm**2",
    "wfwhm": "max(share(1 / (fwhm + 2 * fwhm * (reference_stars - stars) / stars)**2), 0.001)",
    "stars": "max(share(stars)**2, 0.001)",
    "exposure": "exposure",
    "equal": "1",
}
"""What each named weight is, in metrics.

``noise``: inverse variance of the normalised background, best for all that is fainter than the sky. ``psf``: the
inverse variance of a star's flux, whose light spreads over fwhm squared pixels (as PSF fitting has it). ``snr``: as
measured on stars. ``wfwhm`` and ``stars`` as Siril defines them, but for the worst frame, which keeps a thousandth of
the best one's weight: pixels that only it sees are not lost.
"""


OF_SIRIL = ("wfwhm", "stars")
"""Weights that stretch from the worst frame to the best one, however alike these are."""
FEW, MANY = 0.6, 5
"""Those that leave less than this share of the worth of so many frames, or more, get a word."""


def frame_weights(
    weighing: str, metrics: Mapping[str, np.ndarray], names: Sequence[str], formula: str = ""
) -> tuple[np.ndarray, list[str]]:
    """Weight of each frame, mean 1, and what is worth a word.

    Parameters
    ----------
    weighing : one of `FORMULAS`, or ``formula`` for the text in ``formula``.
    metrics : float64 (frames,) each, by the names of `METRICS`; NaN where not known.
    names : of the frames, for messages.

    Notes
    -----
    A frame whose metric is missing gets the lowest weight above 0 of the others, with a note; where no frame has it,
    all weigh the same.

    Raises
    ------
    SpecError
        The formula cannot be worked out.
    InputError
        A weight is below 0, or none is above.

    >>> frame_weights("fwhm", {"fwhm": np.array([1.0, 2.0])}, ["a", "b"])[0].tolist()
    [1.6, 0.4]
    """
    text = formula if weighing == "formula" else FORMULAS[weighing]
    weights, notes = settle_weights(evaluate_formula(text, metrics), names, f"weights by {weighing} ({text})")
    alike = weights.sum() ** 2 / np.square(weights).sum()
    if weighing in OF_SIRIL and alike < FEW * len(weights) and len(weights) >= MANY:
        notes.append(
            f"weights by {weighing} are so unequal that the noise is that of {alike:.1f} equal frames, not "
            f"{len(weights)}; weights noise give the least"
        )
    return weights, notes


def settle_weights(weights: np.ndarray, names: Sequence[str], what: str) -> tuple[np.ndarray, list[str]]:
    """Weights as they came to weights of mean 1: missing ones filled in, impossible ones refused."""
    if len(names) != len(weights):
        weights = np.broadcast_to(weights, len(names))
    known = np.isfinite(weights)
    if not known.any():
        return np.ones(len(names)), [f"{what}: not known for any frame; all weigh the same"]
    for name, weight in zip(names, weights):
        if weight < 0:
            raise InputError(f"{what}: {weight:.4g} for {name}; weights are 0 or above")
    if not (weights[known] > 0).any():
        raise InputError(f"{what}: 0 for every frame; at least one must count")
    lowest = weights[known & (weights > 0)].min()
    notes = []
    if not known.all():
        lost = [name for name, ok in zip(names, known) if not ok]
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        notes.append(f"{what}: not known for {lost[0]}{more}; the lowest weight of the others is used")
    weights = np.where(known, weights, lowest)
    return weights / weights.mean(), notes
