"""Bring the lights of a group onto one reference frame, and find how bright each is against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.frame import Frame
from firstlight.kernels.calibrate import smooth_mosaic
from firstlight.library.explain import names_words
from firstlight.model.registration import Registration, Transform
from firstlight.model.stars import Stars
from firstlight.ops.align.match import MatchStars, match_stars
from firstlight.ops.align.plates import transform_of_plates
from firstlight.pipeline.measure import Light
from firstlight.pipeline.refine import Refinement, refine
from firstlight.pipeline.tracking import attended, looked_at

if TYPE_CHECKING:
    from firstlight.pipeline.settings import Settings
    from firstlight.pipeline.shared_settings import Register

FEWEST_RATIOS = 5
"""Stars needed for a flux ratio."""
RATIO_SNR = 15.0
PAIR_DISTANCE = 2.0
"""px between matched stars."""
CANDIDATES = 3
"""Frames tried as reference before the one that most others match is taken."""
FAR_SHIFT = 0.15
"""Shifts beyond this share of the field are worth a word."""
PANEL = 0.5
"""Several that are shifted beyond this share may be panels of a mosaic."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A light that was registered."""

    light: Light
    registration: Registration
    flux_ratio: float
    """Flux of the reference over that of this frame for the same stars: its scale factor."""
    notes: tuple[str, ...] = ()
    refinement: Refinement | None = None
    """What its texture told, where that was asked for."""


def score(light: Light) -> float:
    """How well a frame serves as reference: many stars, sharp, over little noise."""
    quality = light.quality
    if quality.n_stars == 0 or not np.isfinite(quality.fwhm):
        return 0.0
    return quality.n_stars / (quality.fwhm**2 * (1.0 + quality.eccentricity))


def rank_references(lights: Sequence[Light], settings: Settings) -> list[Light]:
    """Frames that may serve as reference, best first: the one named in the settings, or three by `score`."""
    name = settings.registration.reference
    named = [light for light in lights if name and is_named(light.frame, name)]
    return named or sorted(lights, key=lambda light: (-score(light), light.name))[:CANDIDATES]


def is_named(frame: Frame, name: str) -> bool:
    """Whether a frame is meant by a file name or path."""
    return name in (frame.path.name, str(frame.path), frame.path.stem)


def place(light: Light, reference: Light, settings: Settings, guide: Light | None = None) -> Placed:
    """Register one light.

    ``guide`` is what `firstlight.pipeline.tracking.attended` leaves of the reference, where it is known already.

    Raises
    ------
    FrameError
        No transform can be trusted; the message says why.
    """
    rule = settings.registration
    if light is reference:
        registration = Registration(Transform.identity(), len(light.stars), 0.0, "reference")
        return Placed(light, registration, 1.0)
    try:
        if rule.method == "none":
            registration = Registration(Transform.identity(), 0, 0.0, "none")
        elif rule.method == "plate":
            registration = _by_plate(light, reference)
        else:
            guide = guide or attended(reference, rule)
            if rule.method == "stars":
                registration = match_stars(light.stars, guide.stars, settings.match)
            else:
                registration = _by_pixels(light, reference, guide, rule, settings.match)
        found = None
        if rule.refine != "none":
            registration, found = _refined(registration, light, reference, guide or attended(reference, rule), settings)
    except FrameError as error:
        raise FrameError(f"{light.name}: {error}") from error
    ratio = flux_ratio(light, reference, registration.transform)
    return Placed(light, registration, ratio, _words(light, registration), found)


def _refined(
    registration: Registration, light: Light, reference: Light, guide: Light, settings: Settings
) -> tuple[Registration, Refinement]:
    mine, theirs = luminance(light), luminance(reference)
    seen = looked_at(theirs.shape, settings.registration)
    if seen is not None:
        theirs = np.where(seen, theirs, np.float32(np.nan))
    return refine(registration, mine, theirs, light.stars, guide.stars, settings.registration.refine, settings.match)


def _by_plate(light: Light, reference: Light) -> Registration:
    mine, theirs = light.frame.plate, reference.frame.plate
    if mine is None or theirs is None:
        who = "it" if mine is None else f"{reference.name}, the reference,"
        raise FrameError(f"{who} has no plate (WCS); solve it, or register by stars")
    return Registration(transform_of_plates(mine, theirs), 0, 0.0, "plate")


def _by_pixels(light: Light, reference: Light, guide: Light, rule: Register, match: MatchStars) -> Registration:
    """From whole planes: by phase correlation, or by features.

    A frame that its header says was taken on the other side of the pier is turned by half a turn first: phase
    correlation finds shifts alone.
    """
    mine, theirs = luminance(light), luminance(reference)
    seen = looked_at(theirs.shape, rule)
    if rule.method == "features":
        from firstlight.ops.align.features import match_features

        found = match_features(mine, theirs if seen is None else np.where(seen, theirs, np.float32(np.nan)))
        try:
            # Where there are stars after all, they are ten times better.
            return match_stars(light.stars, guide.stars, match, guess=found.transform)
        except FrameError:
            return found
    from firstlight.ops.align.phase import phase_correlate

    height, width = mine.shape
    before = Transform.identity()
    sides = {each.frame.meta.pier_side for each in (light, reference)}
    if None not in sides and len(sides) == 2:
        mine = np.ascontiguousarray(mine[::-1, ::-1])
        before = Transform(np.array([[-1.0, 0.0, width - 1.0], [0.0, -1.0, height - 1.0], [0.0, 0.0, 1.0]]))
    if seen is not None:
        mine, theirs = (np.where(seen, plane, np.float32(np.nan)) for plane in (mine, theirs))
    found = phase_correlate(mine, theirs)
    return replace(found, transform=before.then(found.transform))


def luminance(light: Light) -> np.ndarray:
    """Calibrated pixels of a light as one plane (y, x); the pattern of a mosaic, which never moves, smoothed away."""
    band = light.calibration.band(light.frame, 0, light.frame.shape[1])
    if not light.frame.meta.cfa:
        return band.data.mean(axis=0)
    plane = np.empty(band.data.shape[1:], np.float32)
    smooth_mosaic(band.data[0], plane)
    return plane


def _words(light: Light, registration: Registration) -> tuple[str, ...]:
    _, height, width = light.frame.shape
    centre = np.array([[width / 2, height / 2]])
    shift = registration.transform(centre)[0] - centre[0]
    notes = []
    if np.hypot(*shift) > FAR_SHIFT * min(width, height):
        notes.append(f"lies {np.hypot(*shift):.0f} px off the reference")
    if registration.transform.is_flipped:
        notes.append("is mirrored")
    elif abs(abs(registration.transform.rotation) - 180) < 5:
        notes.append("was taken on the other side of the pier")
    return tuple(notes)


def placement_notes(placed: Sequence[Placed]) -> list[str]:
    """What is worth a word of where the lights lie, each kind of remark once."""
    by_kind: dict[str, list[Placed]] = {}
    for each in placed:
        for note in each.notes:
            by_kind.setdefault("" if note.startswith("lies ") else note, []).append(each)
    told = []
    for kind, several in by_kind.items():
        names = names_words([each.light.name for each in several])
        if len(several) == 1:
            words = kind or several[0].notes[0]
        elif kind:
            words = kind.replace("was ", "were ").replace("is ", "are ")
        else:
            far = max(float(each.notes[0].split()[1]) for each in several)
            words = f"lie up to {far:.0f} px off the reference"
            if far > PANEL * min(several[0].light.frame.shape[1:]):
                words += "; panels of a mosaic are joined by --registration-framing mosaic"
        told.append(f"{names}: {words}")
    return told


def flux_ratio(light: Light, reference: Light, transform: Transform) -> float:
    """Median of reference flux over frame flux of the stars both show; without enough of them, the ratio of the
    exposures over that of the gains."""
    mine, theirs = shared_stars(light, reference, transform)
    if len(mine) >= FEWEST_RATIOS:
        # Bright stars measure the ratio best; the weighted median shrugs off blends and variables.
        return float(weighted_median(theirs.flux / mine.flux, np.minimum(mine.snr, theirs.snr)))
    one, other = light.frame.meta, reference.frame.meta
    ratio = other.exposure / one.exposure if one.exposure and other.exposure else 1.0
    return ratio * one.gain / other.gain if one.gain and other.gain else ratio


def shared_stars(light: Light, reference: Light, transform: Transform) -> tuple[Stars, Stars]:
    """Stars with a well measured flux that both frames show: those of the frame, and the same ones of the reference."""
    from scipy.spatial import cKDTree

    mine, theirs = (each.stars.take((each.stars.saturated == 0) & (each.stars.snr >= RATIO_SNR))
                    for each in (light, reference))  # fmt: skip
    if not len(mine) or not len(theirs):
        return Stars.empty(), Stars.empty()
    distance, index = cKDTree(theirs.positions).query(
        transform(mine.positions), distance_upper_bound=PAIR_DISTANCE * max(transform.scale, 1.0)
    )
    found = np.isfinite(distance)
    return mine.take(found), theirs.take(index[found])


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Value below which half of the weight lies."""
    order = np.argsort(values, kind="stable")
    running = np.cumsum(weights[order])
    return values[order][np.searchsorted(running, 0.5 * running[-1])]


def largest_standstill(placed: Sequence[Placed], within: float) -> float:
    """Largest share of the frames whose centres lie within so many px of one of them; 1 where the sky never moved."""
    _, height, width = placed[0].light.frame.shape
    middle = np.array([[width / 2, height / 2]])
    centres = np.array([p.registration.transform(middle)[0] for p in placed])
    distances = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1))
    return float((distances < within).mean(axis=1).max())
