"""The numbers of a detector, as measured, and the few of them that are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from firstlight.library.profile import DetectorProfile
from firstlight.ops.inspect.dark_current import DarkRate
from firstlight.ops.inspect.linearity import Correction, Level, Linearity
from firstlight.ops.inspect.transfer import Points, Transfer
from firstlight.pipeline.detector_frames import DetectorFrames
from firstlight.pipeline.detector_pixels import BadPixels

WIDE = 3.0
"""Where the signals of the flats span this factor the fitted curve gives the gain, otherwise the pair method."""


@dataclass(frozen=True, eq=False)
class ReadNoise:
    """Noise of one reading, of one colour, from pairs of bias frames."""

    adu: float
    error: float
    """adu; from the scatter of the pairs."""
    pairs: int
    temperature: float | None


@dataclass(frozen=True, eq=False)
class Colour:
    """What was measured of the pixels of one colour; NaN or None where nothing was."""

    read_noise: ReadNoise | None = None
    pair_gain: float = math.nan
    pair_error: float = math.nan
    points: Points | None = None
    transfer: Transfer | None = None
    breaks_at: float | None = None
    """adu above the bias where the noise falls away."""
    levels: tuple[Level, ...] = ()
    linearity: Linearity | None = None

    @property
    def by_curve(self) -> bool:
        fit = self.transfer
        return fit is not None and (fit.highest > WIDE * fit.lowest or not math.isfinite(self.pair_gain))

    @property
    def gain(self) -> float:
        """e-/adu: of the curve where it spans enough, otherwise of the pairs."""
        return self.transfer.gain if self.by_curve and self.transfer else self.pair_gain

    @property
    def gain_error(self) -> float:
        return self.transfer.gain_error if self.by_curve and self.transfer else self.pair_error


@dataclass(frozen=True, eq=False)
class Measured:
    """All that was measured of one detector at one setting."""

    frames: DetectorFrames
    colours: dict[str, Colour]
    bias_level: float | None = None
    bias_pattern: float | None = None
    """adu: standard deviation of the fixed pattern of the bias."""
    row_noise: float | None = None
    """adu: rows that move together from frame to frame (banding)."""
    correlation: float | None = None
    """Of the noise of neighbouring pixels of one colour."""
    noises: dict[float | None, float] = field(default_factory=dict)
    """Read noise (adu, mean of the colours) at each temperature."""
    histogram: tuple[np.ndarray, np.ndarray, float] | None = None
    """Counts, edges (adu) and sigma of the differences of bias frames."""
    saturation: float | None = None
    saturation_from: str = ""
    correction: Correction | None = None
    rates: tuple[DarkRate, ...] = ()
    doubling: tuple[float, float] | None = None
    doubling_from: str = ""
    bad: BadPixels | None = None
    notes: tuple[str, ...] = ()

    @property
    def gain(self) -> float | None:
        """e-/adu: mean over the colours."""
        return mean_of([c.gain for c in self.colours.values()])

    @property
    def read_noise(self) -> float | None:
        """e-: mean over the colours."""
        return mean_of([c.read_noise.adu * c.gain for c in self.colours.values() if c.read_noise])

    @property
    def full_well(self) -> tuple[float, str] | None:
        """e-, and how it is known."""
        gain = self.gain
        if gain is None:
            return None
        breaks = [c.breaks_at for c in self.colours.values() if c.breaks_at]
        if breaks:
            return float(np.median(breaks)) * gain, "where the noise of the flats falls away"
        if self.saturation is not None:
            return (self.saturation - (self.bias_level or 0.0)) * gain, f"saturation {self.saturation_from}"
        return None

    @property
    def profile(self) -> DetectorProfile:
        """The numbers that later sessions use."""
        meta, well = self.frames.meta, self.full_well
        rate = self.rates[0] if self.rates else None
        last = max((f.meta.start for g in (*self.frames.biases, *self.frames.darks, *self.frames.flats)
                    for f in g if f.meta.start), default=None)  # fmt: skip
        known = {name: c for name, c in self.colours.items() if math.isfinite(c.gain)}
        noisy = {name: c.read_noise for name, c in known.items() if c.read_noise}
        return DetectorProfile(
            camera=meta.camera, serial=meta.serial, gain_setting=meta.gain_setting, offset=meta.offset,
            readout_mode=meta.readout_mode, binning=meta.binning,
            gain=self.gain, gain_error=_rms([c.gain_error for c in known.values()]),
            read_noise=self.read_noise,
            read_noise_error=_rms([n.error * known[name].gain for name, n in noisy.items()]),
            bias_level=self.bias_level, saturation=self.saturation, full_well=well[0] if well else None,
            dark_current=rate.rate if rate else None, dark_temperature=rate.temperature if rate else None,
            doubling_temperature=self.doubling[0] if self.doubling else None,
            linearity_second=self.correction.second if self.correction else None,
            linearity_third=self.correction.third if self.correction else None,
            gains={n: c.gain for n, c in known.items()} if len(known) > 1 else {},
            read_noises={n: r.adu * known[n].gain for n, r in noisy.items()} if len(noisy) > 1 else {},
            measured=last.date().isoformat() if last else None,
        )  # fmt: skip


def mean_of(values: Sequence[float]) -> float | None:
    """Mean of those that are finite; None of none."""
    good = [v for v in values if math.isfinite(v)]
    return float(np.mean(good)) if good else None


def _rms(values: Sequence[float]) -> float | None:
    good = [v for v in values if math.isfinite(v)]
    return float(np.sqrt(np.mean(np.square(good)) / len(good))) if good else None
