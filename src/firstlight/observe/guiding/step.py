"""What became of one guide frame."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GuideStep:
    """A frame, and the pulses that followed it; a lost frame has none, and a reason."""

    frame: int
    time: float
    """s since guiding began."""
    dx: float = 0.0
    """px from the place where the star should be."""
    dy: float = 0.0
    ra: float = 0.0
    """px along east."""
    dec: float = 0.0
    """px along north."""
    ra_pulse: float = 0.0
    """s; east is positive."""
    dec_pulse: float = 0.0
    """s; north is positive."""
    flux: float = 0.0
    """adu, of the brightest guide star."""
    snr: float = 0.0
    n_stars: int = 0
    lost: str = ""
    """Why the star counts as lost; empty where it does not."""
    dithering: bool = False
    """The star is on its way to a new place: the frame says nothing of how well the mount is guided."""
