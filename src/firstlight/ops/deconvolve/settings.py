"""What every deconvolution can be told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from firstlight.ops.registry import Params
from firstlight.units import Sigma


class Deconvolve(Params):
    """Method, strength and protection."""

    method: Literal["rl", "wiener", "unsupervised", "bregman"] = "rl"
    """``rl``: Richardson-Lucy, never below the sky. ``wiener``: one division in the frequency domain, ruled by
    ``balance``; ``unsupervised`` finds the balance. ``bregman``: split Bregman, least total variation."""
    iterations: Annotated[int, Field(ge=1, le=1000)] = 30
    """At most so many, of ``rl`` and ``bregman``."""
    stop: bool = True
    """``rl`` ends by itself: when data and model differ by no more than the noise, or when one more iteration brings
    them closer by less than 1 %."""
    smoothness: Annotated[float, Field(ge=0, le=0.2)] = 0.002
    """Weight of the total variation in ``rl`` (0: none): larger is smoother."""
    damping: Annotated[Sigma, Field(ge=0, le=20)] = 0.0
    """``rl`` leaves differences below so many sigma alone, softly (0: follows all of them)."""
    balance: Annotated[float, Field(gt=0, le=1000)] = 0.05
    """Of ``wiener``: weight of smoothness against the data, larger is smoother."""
    aside: Annotated[Sigma, Field(ge=0, le=20)] = 4.0
    """Noise is set aside: what in no wavelet layer exceeds so many sigma is not sharpened, but put back as it was. 0:
    the noise is sharpened with the rest, and makes worms."""
    strength: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the deconvolved picture in the result."""
    target: Literal["both", "stars", "background"] = "both"
    """What is sharpened: all of it, only the stars, or only what lies between them."""
    dering: Annotated[float, Field(ge=0, le=1)] = 1.0
    """How far dark rings are filled: nothing falls below the lowest that lay within two FWHM before. It adds what
    light it fills in. 0: not."""
    protect_full: Annotated[float, Field(ge=0.1, le=1.1)] = 0.85
    """Cores above this share of the saturation level keep the original, with a soft rim; above 1: none does."""
    protect_sky: Annotated[Sigma, Field(ge=0, le=50)] = 0.0
    """Light weaker than this over the area of the point spread function keeps the original, softly. 0: all is
    sharpened."""
