"""Where the noise of a stack's frames comes from, and whether what is measured is what theory says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.model.meta import Kind
from firstlight.ops.inspect.median import median
from firstlight.pipeline.calibration import typical_variance

if TYPE_CHECKING:
    from firstlight.library.build import Master
    from firstlight.pipeline.group import GroupResult
    from firstlight.pipeline.masters import MasterShelf


def noise_budget(result: GroupResult, shelf: MasterShelf) -> dict[str, Any] | None:
    """Variances of a pixel of the sky on the reference frame, e-, and the noise of frame and stack, adu.

    Sky and dark current make as much variance as they leave electrons, each reading that of the read noise, and the
    masters hand on theirs. None where the gain is not known. What is not known of the rest is None, and left out of
    the sum. ``frame_expected`` against ``frame_measured`` is the check; ``gain_expected`` is what weights and number of
    frames promise for the stack (without the noise that resampling smooths away), ``gain_measured`` what it got.
    """
    contributions = result.engine.contributions
    reference = next(
        (p for p in result.prepared.placed if p.light is result.prepared.reference), result.prepared.placed[0]
    )
    light = reference.light
    meta = light.frame.meta
    if not meta.gain:
        return None
    gain = float(meta.gain)
    level, noise = float(np.mean(light.level)), float(np.sqrt(np.mean(np.square(light.noise))))
    sky = max(level, 0.0) * gain
    read = float(meta.read_noise) ** 2 if meta.read_noise else None
    bias, dark, flat = (
        shelf.get(plan) if plan is not None else None
        for plan in (light.assignment.bias, light.assignment.dark, light.assignment.flat)
    )
    if bias is None and dark is not None:
        # The light needs none, for its dark holds it; one of the session still tells both apart.
        bias = next((m for m in shelf.made if m.plan.kind is Kind.BIAS and m.image.shape == dark.image.shape), None)
    current = _dark_electrons(dark, bias, light.assignment.dark_scale, gain)
    masters = 0.0
    for master in (dark, shelf.get(light.assignment.bias) if dark is None and light.assignment.bias else None):
        masters += gain**2 * typical_variance(master) * (light.assignment.dark_scale**2 if master is dark else 1.0)
    masters += (gain * level) ** 2 * typical_variance(flat)
    parts = {"sky": sky, "dark": current, "read": read, "masters": masters}
    expected = float(np.sqrt(sum(v for v in parts.values() if v is not None))) / gain
    weights = np.array([c.weight for c in contributions])
    scaled = np.array([float(np.mean(c.gain)) * float(np.mean(c.noise)) for c in contributions])
    promised = noise / float(np.sqrt(np.sum((weights * scaled) ** 2)) / weights.sum())
    return {
        "frame": light.name,
        "electrons_per_adu": round(gain, 5),
        "variance_electrons2": {k: None if v is None else round(v, 4) for k, v in parts.items()},
        "frame_expected_adu": round(expected, 5),
        "frame_measured_adu": round(noise, 5),
        "stack_measured_adu": round(float(result.noise), 5) if np.isfinite(result.noise) else None,
        "gain_expected": round(promised, 4),
        "gain_measured": round(result.single_noise / result.noise, 4) if result.noise > 0 else None,
    }


def _dark_electrons(dark: Master | None, bias: Master | None, scale: float, gain: float) -> float | None:
    """Electrons that the dark current leaves in an exposure; None where no bias tells it from the dark's level."""
    if dark is None or (bias is None and "bias" not in dark.image.meta.calibrated):
        return None
    plane = dark.image.data[0, ::4, ::4]
    level = median(plane)
    if bias is not None and "bias" not in dark.image.meta.calibrated:
        level -= median(bias.image.data[0, ::4, ::4])
    return max(float(level) * scale * gain, 0.0)
