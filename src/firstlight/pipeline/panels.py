"""Panels of a mosaic of the sky: which lights show the same part of it, and where each part lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.distortion import Bend
from firstlight.model.registration import Registration, Transform
from firstlight.model.stars import Stars
from firstlight.ops.align.bundle import Bundle, Link, join_panels
from firstlight.ops.align.match import MatchStars, centroid_errors, match_stars, mutual_pairs
from firstlight.ops.align.plates import transform_of_plates
from firstlight.pipeline.measure import Light
from firstlight.pipeline.register import Placed, score

SAME = 0.3
"""Of the shorter side: lights whose middles lie nearer together show the same panel."""
STRIP = 0.35
"""Of a side: where panels hardly overlap, the stars along their edges are matched alone."""
WIDE = 3.0
"""px within which stars of two panels that were matched count as the same, at first."""
FAR = 5
"""Panels looked at last in which the next light is looked for first."""


@dataclass(eq=False)
class Panel:
    """Lights that show the same part of the sky."""

    hub: Light
    """Its reference."""
    placed: list[Placed] = field(default_factory=list)
    """All its lights, registered to the hub; once the panel is placed, to the plane of the mosaic."""
    to_plane: Transform | None = None
    """Of the hub; None: not known."""


@dataclass(frozen=True, eq=False)
class Plane:
    """What is known of a mosaic's plane: panels of other filters lie on it already."""

    hubs: tuple[Light, ...] = ()
    transforms: tuple[Transform, ...] = ()
    bend: Bend | None = None
    is_fixed: bool = False
    """Whether the distortion was looked for."""


def part_by_panel(lights: Sequence[Light], rule: MatchStars, done: Callable[[int], None]) -> list[list[Light]]:
    """Lights by panel, those of a panel in order of time; a light that matches none begins a new one.

    Panels are looked through from the latest on: a mosaic is taken one panel after the other, or round and round.
    """
    hubs: list[Light] = []
    members: list[list[Light]] = []
    last: list[int] = []
    when = sorted(lights, key=lambda light: (light.frame.meta.start is None, str(light.frame.meta.start), light.name))
    for light in when:
        order = [*reversed(last), *(k for k in range(len(hubs)) if k not in last)]
        found = next((k for k in order if _same_panel(light, hubs[k], rule)), None)
        if found is None:
            found = len(hubs)
            hubs.append(light)
            members.append([])
        members[found].append(light)
        last = [*(k for k in last if k != found), found][-FAR:]
        done(1)
    return members


def _same_panel(light: Light, hub: Light, rule: MatchStars) -> bool:
    guess = _guess(light, hub)
    _, height, width = light.frame.shape
    if guess is not None and not _is_near(guess, (height, width), 3 * SAME):
        return False
    try:
        transform = match_stars(light.stars, hub.stars, rule, guess=guess).transform
    except FrameError:
        return False
    return _is_near(transform, (height, width), SAME)


def _is_near(transform: Transform, shape: tuple[int, int], share: float) -> bool:
    middle = np.array([[(shape[1] - 1) / 2, (shape[0] - 1) / 2]])
    return bool(np.hypot(*(transform(middle) - middle)[0]) < share * min(shape))


def _guess(light: Light, other: Light) -> Transform | None:
    """From the plates of both, where they have one."""
    mine, theirs = light.frame.plate, other.frame.plate
    if mine is None or theirs is None:
        return None
    try:
        return transform_of_plates(mine, theirs)
    except FrameError:
        return None


def place_panels(
    panels: Sequence[Panel], reference: Light | None, plane: Plane, rule: MatchStars
) -> tuple[Light, Plane, list[str]]:
    """Give every panel its place on one plane, all together; the reference, the plane, and what is worth a word.

    The plane is that of the reference, or else of the panel nearest to the middle of all, where it touches the sky.

    Panels that share stars with others are joined through them; those that share none are placed by their plates, where
    they and a placed one have some. Of the rest ``to_plane`` stays None.
    """
    hubs = [panel.hub for panel in panels]
    known = list(plane.hubs)
    everyone = [*hubs, *known]
    links = list(_links(everyone, len(hubs), rule))
    fixed = {len(hubs) + k: transform for k, transform in enumerate(plane.transforms)}
    shape = hubs[0].frame.shape[1:]
    focal = focal_length(reference or hubs[0])
    if not fixed:
        middle = hubs.index(reference) if reference in hubs else _middle(links, panels, shape, focal)
        reference, fixed = hubs[middle], {middle: Transform.identity()}
    bundle = join_panels(links, fixed, shape, focal, bend=plane.bend, may_bend=not plane.is_fixed)
    notes, by_plate = _words(bundle, shape), []
    for k, panel in enumerate(panels):
        panel.to_plane = bundle.transforms.get(k)
    for panel in panels:
        if panel.to_plane is None and (found := _by_plate(panel, panels)) is not None:
            panel.to_plane = found
            by_plate.append(panel.hub.name)
    if by_plate:
        notes.append(
            f"{len(by_plate)} panels share no stars with the others; placed by their plates ({by_plate[0]} ...)"
        )
    for panel in panels:
        if panel.to_plane is not None:
            panel.placed = [_onto(each, panel.to_plane) for each in panel.placed]
    found = [panel for panel in panels if panel.to_plane is not None]
    every = Plane(
        (*(panel.hub for panel in found), *plane.hubs),
        (*(panel.to_plane for panel in found), *plane.transforms),  # type: ignore[arg-type]
        bundle.bend, True,
    )  # fmt: skip
    return reference or hubs[0], every, notes


def _middle(links: Sequence[Link], panels: Sequence[Panel], shape: tuple[int, int], focal: float | None) -> int:
    """The panel nearest to the middle of those that hang together."""
    start = max(range(len(panels)), key=lambda k: (sum(k in (link.one, link.other) for link in links), -k))
    rough = join_panels(links, {start: Transform.identity()}, shape, focal, may_bend=False).transforms
    centre = np.array([[(shape[1] - 1) / 2, (shape[0] - 1) / 2]])
    places = {k: transform(centre)[0] for k, transform in rough.items()}
    mean = np.mean(list(places.values()), axis=0)
    # Of those about as near, the one with most lights.
    away = {k: round(float(np.hypot(*(place - mean))) / (SAME * min(shape))) for k, place in places.items()}
    return min(places, key=lambda k: (away[k], -len(panels[k].placed), k))


def _words(bundle: Bundle, shape: tuple[int, int]) -> list[str]:
    words = [f"panels meet within {bundle.rms:.2f} px (rms of the stars they share)"] if bundle.rms else []
    if bundle.bend is not None:
        corner = np.array([[0.0, 0.0]])
        words.append(
            f"the optics' distortion, {np.hypot(*bundle.bend.shift(corner)[0]):.1f} px in the corners, is undone"
        )
    return words


def _onto(placed: Placed, to_plane: Transform) -> Placed:
    registration = placed.registration
    return replace(placed, registration=replace(registration, transform=registration.transform.then(to_plane)))


def _by_plate(panel: Panel, panels: Sequence[Panel]) -> Transform | None:
    for other in panels:
        if other.to_plane is not None and (step := _guess(panel.hub, other.hub)) is not None:
            return step.then(other.to_plane)
    return None


def focal_length(light: Light) -> float | None:
    """px; from the plate, or from focal length and size of the pixels."""
    meta, plate = light.frame.meta, light.frame.plate
    if plate is not None:
        from firstlight.model.pixel_map import cd_matrix

        scale = abs(float(np.linalg.det(cd_matrix(plate)))) ** 0.5
        if scale > 0:
            return float(180.0 / np.pi / scale)
    if meta.focal_length and meta.pixel_size:
        return meta.focal_length * 1000.0 / meta.pixel_size
    return None


def _links(hubs: Sequence[Light], n_new: int, rule: MatchStars) -> Iterator[Link]:
    """Pairs of panels with stars in common; of two known ones none is needed."""
    linked: dict[int, set[int]] = {k: {k} for k in range(len(hubs))}
    rest = []
    for j in range(len(hubs)):
        for i in range(min(j, n_new)):
            link = _link(i, j, hubs, rule, strips=False)
            if link is None:
                rest.append((i, j))
                continue
            yield link
            joined = linked[i] | linked[j]
            for k in joined:
                linked[k] = joined
    for i, j in rest:
        # The edges alone are looked at only where nothing else joins the panels.
        if j in linked[i] or (link := _link(i, j, hubs, rule, strips=True)) is None:
            continue
        yield link
        joined = linked[i] | linked[j]
        for k in joined:
            linked[k] = joined


def _link(i: int, j: int, hubs: Sequence[Light], rule: MatchStars, *, strips: bool) -> Link | None:
    one, other = hubs[i], hubs[j]
    guess = _guess(one, other)
    for mine, theirs in _strips(one, other) if strips else [(one.stars, other.stars)]:
        try:
            found = match_stars(mine, theirs, rule.model_copy(update={"distortion": False}), guess=guess)
        except FrameError:
            continue
        return _common(i, j, one.stars, other.stars, found)
    return None


def _common(i: int, j: int, mine: Stars, theirs: Stars, found: Registration) -> Link:
    """All stars of both that the transform brings together."""
    a, b = mutual_pairs(found.transform(mine.positions), theirs.positions, WIDE)
    sigma = np.hypot(centroid_errors(mine)[a] * found.transform.scale, centroid_errors(theirs)[b])
    return Link(i, j, mine.positions[a], theirs.positions[b], sigma)


def _strips(one: Light, other: Light) -> Iterator[tuple[Stars, Stars]]:
    """Stars along an edge of the one and an edge of the other: opposite edges first, then (flipped) like ones."""
    edges = [_edges(each) for each in (one, other)]
    for turn in (2, 0, 1, 3):
        for k in range(4):
            yield edges[0][k], edges[1][(k + turn) % 4]


def _edges(light: Light) -> list[Stars]:
    """Stars along left, top, right and bottom."""
    _, height, width = light.frame.shape
    x, y = light.stars.x, light.stars.y
    return [
        light.stars.take(part)
        for part in (x < STRIP * width, y < STRIP * height, x > (1 - STRIP) * width, y > (1 - STRIP) * height)
    ]


def best_hub(lights: Sequence[Light]) -> Light:
    """The light that serves best as reference."""
    return max(lights, key=lambda light: (score(light), light.name))
