"""Sections of settings that `firstlight process`, `firstlight stack` and others have alike."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from firstlight.ops.align.plate_solve import SolvePlate
from firstlight.ops.registry import Params
from firstlight.ops.stack.normalize import Mode
from firstlight.ops.stack.weights import Weighing
from firstlight.pipeline.tracking import parse_region
from firstlight.units import Px, Sigma


class Register(Params):
    """How frames are brought onto one another."""

    method: Literal["stars", "phase", "features", "plate", "none"] = "stars"
    """``stars``: match star patterns; ``phase``: shift by phase correlation; ``features``: corners and textures (ORB),
    for the Moon, planets and bright nebulae; ``plate``: by the plates (WCS) in the headers; ``none``: they are aligned
    already."""
    refine: Literal["none", "corr", "ilk", "tvl1"] = "none"
    """Then compare the frames by their texture, and undo what bends them from place to place: seeing on the Moon, the
    Sun and planets; distortion where stars are few. ``corr``: correlation of patches, as good as the others and twenty
    times as fast; ``ilk``, ``tvl1``: dense optical flow. A frame whose stars it would move away stays as it was."""
    reference: str = ""
    """File name of the reference frame; empty: the best frame of the largest group of each geometry."""
    region: str = ""
    """Look only at this part of the reference frame: left,top,right,bottom, px from 0. For stars behind a moving thing,
    or a corner without distortion."""
    mask: str = ""
    """An image of the size of the reference frame; what it shows above 0 is not looked at."""
    framing: Literal["reference", "union", "mosaic"] = "reference"
    """Size of the stack: that of the reference frame, or (``union``) all that any frame covers. ``mosaic``: the lights
    show panels of a larger field, which are joined by the stars they share (or by their plates), brought to one level
    and scale and blended; "M31 panel 2" is a panel of M31."""
    kernel: Literal["lanczos3", "lanczos4", "lanczos2", "bicubic", "bilinear", "nearest"] = "lanczos3"
    """Interpolation: Lanczos keeps stars sharpest; ``bicubic`` (Catmull-Rom), ``bilinear`` ring less and blur more."""
    clamp: Annotated[Sigma, Field(ge=0, le=1000)] = 1.0
    """Lanczos may dig this far (in noise sigma of the frame) below the lowest of the inner samples, no further: no dark
    rings. 1000 switches it off."""

    @property
    def leaves_alone(self) -> bool:
        """Whether every frame is taken as it lies."""
        return self.method == "none" and self.refine == "none"

    @field_validator("region")
    @classmethod
    def _is_region(cls, text: str) -> str:
        if text:
            parse_region(text)
        return text


class Normalize(Params):
    """How frames are brought to one level before rejection."""

    mode: Mode = "additive+scale"
    """``additive`` (or ``background``): equal backgrounds, by a summand; ``multiplicative``: by a factor. ``+scale``:
    equal star fluxes too (the median ratio of the stars matched with the reference; with fewer than 5 of them, the
    exposures). ``signal``: star fluxes only, each frame keeps its background. ``local``: as ``additive+scale``, and a
    smooth surface takes the gradients of each frame's sky to those of the reference's."""
    tile: Annotated[Px, Field(ge=64, le=4096)] = 256
    """``local``: side of the tiles in which the sky is compared; finer gradients stay."""
    weights: Weighing = "noise"
    """``noise``: inverse variance of the background after scaling; where exposures or gains differ, on stars that of
    their light too. ``psf``: inverse variance of a star's flux, noise
    and FWHM. ``snr``: squared SNR of the same stars. ``fwhm``: 1/FWHM squared. ``wfwhm``: by FWHM and number of stars.
    ``stars``: by the number of stars. ``exposure``, ``equal``. ``header``: the keyword WEIGHT of each light. ``csv``:
    a table. ``formula``: worked out from the numbers of frames.csv."""
    formula: str = ""
    """For weights ``formula``: such as ``1 / (fwhm**2 * noise**2)``, or ``where(stars > 9, 1, 0)``."""
    weights_file: str = "weights.csv"
    """For weights ``csv``: lines of file, weight; looked for in the session's folder first."""


class SolveStacks(SolvePlate):
    """Where on the sky the stacks lie (`firstlight solve`)."""

    stacks: bool = False
    """Solve the plate of each stack and write it into its header; a stack that is not solved keeps what it has."""
