"""How samples are rejected and combined: the choices, and what each means for a number of frames."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from firstlight.kernels import reject
from firstlight.ops.registry import Params
from firstlight.units import Px

Method = Literal[
    "auto", "mean", "median", "weighted-median", "sum", "min", "max", "chi2", "minmax", "percentile", "sigma", "mad",
    "winsorized", "linear", "esd", "averaged", "noise", "adaptive",
]  # fmt: skip


class Rule(NamedTuple):
    kernel: int
    low: float = 0.0
    high: float = 0.0


RULES = {
    "mean": Rule(reject.MEAN),
    "sum": Rule(reject.MEAN),
    "min": Rule(reject.MEAN),
    "max": Rule(reject.MEAN),
    "chi2": Rule(reject.MEAN),
    "median": Rule(reject.MEDIAN),
    "weighted-median": Rule(reject.MEAN),
    "minmax": Rule(reject.MINMAX, 1.0, 1.0),
    "percentile": Rule(reject.PERCENTILE, 0.2, 0.1),
    "sigma": Rule(reject.SIGMA, 3.0, 3.0),
    "mad": Rule(reject.MAD, 3.0, 3.0),
    "winsorized": Rule(reject.WINSORIZED, 3.0, 3.0),
    "linear": Rule(reject.LINEAR, 5.0, 5.0),
    "esd": Rule(reject.ESD),
    "averaged": Rule(reject.NOISE, 3.0, 3.0),
    "noise": Rule(reject.NOISE, 3.0, 3.0),
    "adaptive": Rule(reject.MEAN, 4.0, 4.0),
}
"""Method of the kernels and usual limits of each method."""
SMALL = 15
"""With fewer frames a known noise says more than their scatter."""


class Combine(Params):
    """How samples are rejected and combined."""

    method: Method = "auto"
    """Rejection and combination. ``mean``, ``median``, ``weighted-median``, ``sum``, ``min``, ``max`` reject nothing;
    ``chi2``: root of the mean square of the signal in sigma, to find faint things. ``minmax``: drop the extremes.
    ``percentile``: limits are fractions of the median, but never within 3 sigma of a known noise. ``sigma``: clip
    about the median; ``mad``: with the median absolute deviation as scale; ``winsorized``: with a scale that outliers
    cannot inflate; ``linear``: distance from a line through the sorted samples; ``esd``: generalized extreme
    Studentized deviate; ``averaged``: noise as the root of the level, its size measured on whole rows; ``noise``: the
    noise model of the camera; ``adaptive``: weights that fall with the distance. ``auto``: winsorized; below 15 frames
    ``noise`` where gain and noise are known; else median for 3 and 4; mean below 3."""
    low: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Samples this many sigma below the middle are rejected (``minmax``: how many are dropped, ``percentile``: a
    fraction, ``linear``: mean distances). 0: the method's own limit, 3 for sigma."""
    high: Annotated[float, Field(ge=0, le=100)] = 0.0
    """The same above the middle."""
    outliers: Annotated[float, Field(gt=0, le=0.5)] = 0.3
    """``esd``: the largest share of outliers."""
    significance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """``esd``: chance of finding an outlier among good samples."""
    guard: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Limits are wider on stars by what seeing and registration explain, times this; 0: not at all."""
    grow: Annotated[Px, Field(ge=0, le=7)] = 2
    """Pixels this near to a trail (to 2 * grow rejected samples of one frame, or more) are rejected too; 0: not."""

    def resolved(self, n: int, *, noise_known: bool = False) -> Combine:
        """The same with ``auto`` and the limits replaced by what they mean for ``n`` frames.

        >>> Combine().resolved(20).method, Combine().resolved(4).method, Combine().resolved(2).method
        ('winsorized', 'median', 'mean')
        >>> Combine().resolved(8, noise_known=True).words
        'noise:low=3,high=3'
        """
        method = self.method
        if method == "auto":
            if n < 3:
                method = "mean"
            elif n < SMALL and noise_known and n > reject.FEWEST_KNOWN:
                method = "noise"
            else:
                method = "winsorized" if n >= 5 else "median"
        rule = RULES[method]
        return self.model_copy(update={"method": method, "low": self.low or rule.low, "high": self.high or rule.high})

    @property
    def words(self) -> str:
        """Method and its limits, as a record of the run keeps them."""
        if self.method == "esd":
            return f"esd:outliers={self.outliers:g},significance={self.significance:g}"
        return f"{self.method}:low={self.low:g},high={self.high:g}" if self.low or self.high else self.method

    @property
    def rejects(self) -> bool:
        """Whether the method has limits that samples can be beyond."""
        return self.method in ("auto", "esd") or RULES[self.method].low > 0

    def warnings(self, n: int) -> list[str]:
        """What is worth a word about this choice for ``n`` frames.

        >>> Combine(method="sigma").resolved(6).warnings(6)
        ['sigma can reject nothing of 6 frames: a lone outlier stands 2.4 sigma out of so few; take auto']
        >>> Combine(method="linear").resolved(8).warnings(8)
        ['linear can reject nothing of 8 frames: a lone outlier stands 2.8 mean distances out of so few; take auto']
        >>> Combine(method="sigma").resolved(10).warnings(10)
        []
        """
        if self.method not in ("sigma", "linear") or n <= reject.FEWEST:
            return []
        if self.method == "sigma":
            # Of n - 1 equal samples and one apart, the median is that far off it in standard deviations.
            out, unit = n**0.5, "sigma"
        else:
            # A line through them is drawn up at that end.
            place = np.arange(n) - 0.5 * (n - 1)
            share = 1 / n + place * place[-1] / (place**2).sum()
            apart = 1 - share[-1]
            out, unit = n * apart / (apart + np.abs(share[:-1]).sum()), "mean distances"
        if out > min(self.low, self.high):
            return []
        stands = f"a lone outlier stands {out:.1f} {unit} out of so few"
        return [f"{self.method} can reject nothing of {n} frames: {stands}; take auto"]

    @property
    def is_level(self) -> bool:
        """Whether the result has the level, and so the noise, that a frame can be compared with."""
        return self.method not in ("sum", "min", "max", "chi2")

    @property
    def by_rows(self) -> bool:
        """Whether the limits of a pixel come from the whole of its row."""
        return self.method == "averaged"

    def grows(self, n: int) -> bool:
        """Whether what is rejected of ``n`` frames is grown."""
        return self.rejects and self.grow > 0 and n > self.fewest and self.method not in ("adaptive", "minmax")

    def margin(self, n: int) -> int:
        """Pixels around a tile of ``n`` frames that its pixels depend on."""
        return self.grow * self.grows(n) + self.guards(n)

    def guards(self, n: int) -> bool:
        """Whether the limits for ``n`` frames ask how steep the image is."""
        return self.rejects and self.guard > 0 and n > self.fewest

    @property
    def fewest(self) -> int:
        """Samples of a pixel that stay, whatever they say."""
        return reject.FEWEST_KNOWN if RULES.get(self.method, Rule(0)).kernel == reject.NOISE else reject.FEWEST
