"""What a light is rid of beyond its masters: cosmic rays, banding, bad pixels that a file names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firstlight.library.bad_pixels import read_bad_pixels
from firstlight.library.noise import noise_facts, noise_words
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.ops.calibrate.cosmic_rays import CosmicRays, find_cosmic_rays
from firstlight.ops.noise.banding import Banding, banding_of

if TYPE_CHECKING:
    from firstlight.io.frame import Frame
    from firstlight.library.plans import Assignment
    from firstlight.pipeline.calibration import Band, Calibration
    from firstlight.pipeline.settings import Calibrate


@dataclass(frozen=True)
class Clean:
    """What is asked for."""

    rays: CosmicRays | None = None
    banding: Banding | None = None

    @classmethod
    def of(cls, settings: Calibrate) -> Clean:
        """From the settings of a run."""
        return cls(
            CosmicRays() if settings.cosmic_rays else None,
            None if settings.banding == "none" else Banding(direction=settings.banding),
        )

    @property
    def wanted(self) -> bool:
        return self.rays is not None or self.banding is not None


def cleaned(calibration: Calibration, frame: Frame, band: Band, clean: Clean) -> Calibration:
    """The calibration of one light with its own rays among the bad pixels, and its banding.

    ``band`` is the whole frame, calibrated. The slow path is `cal:repair`, `cal:cosmicrays`, `nr:banding`, in this
    order, and a test keeps both equal.
    """
    bad = np.zeros(band.data.shape, bool)
    for channel, (ys, xs) in enumerate(band.missing):
        bad[channel, ys, xs] = True
    if clean.rays is not None:
        flags = np.where(bad, np.uint16(Flag.HOT), np.uint16(0))
        meta = frame.meta
        if meta.saturation is not None and calibration.offset is not None:
            meta = meta.replace(saturation=meta.saturation - float(np.median(calibration.offset)))
        rays = find_cosmic_rays(Image(band.data, flags, meta=meta), clean.rays)
        if rays.any():
            calibration = calibration.with_defects(rays)
            band = calibration.band(frame, 0, frame.shape[1])
    if clean.banding is not None:
        rows, columns = banding_of(band.data, bad, frame.meta.cfa, clean.banding)
        calibration = calibration.with_banding(rows, columns)
    return calibration


def with_named(calibrations: dict[tuple[object, ...], Calibration], file: str) -> dict[tuple[object, ...], Calibration]:
    """The calibrations with the bad pixels that a file names; their keys end with the shape of the frames."""
    if not file:
        return calibrations
    return {
        key: calibration.with_defects(read_bad_pixels(file, key[-1]) != 0)  # type: ignore[arg-type]
        for key, calibration in calibrations.items()
    }


def check_named(file: str, assignments: Sequence[Assignment]) -> None:
    """Whether a file of bad pixels can be read and fits the lights; InputError says why not."""
    if file:
        for shape in sorted({a.light.shape for a in assignments}):
            read_bad_pixels(file, shape)


def noise_of(assignments: Sequence[Assignment], settings: Calibrate) -> tuple[str, ...]:
    """Where the gain and the read noise of the lights come from, in sentences."""
    return noise_words((a.light.meta for a in assignments), settings.gain, settings.read_noise)


def with_noise(light: Frame, settings: Calibrate) -> Frame:
    """The light with the gain and the read noise of the noise model; masters are matched by the header alone."""
    return light.replace(meta=noise_facts(light.meta, settings.gain, settings.read_noise)[0])
