"""What is said of a drizzled stack: its header, its noise, its holes and their cure."""

from __future__ import annotations

from typing import Any

import numpy as np

from firstlight.model.flags import Flag, has
from firstlight.model.meta import Meta
from firstlight.ops.stack.drizzle import Canvas, Drizzle, Drizzled, noise_ratio
from firstlight.pipeline.compare import diagonal_noise
from firstlight.pipeline.drizzle import FEWEST_WITNESSES, Drizzler, seen_by
from firstlight.pipeline.integrate import Stacked

PATCH = 128
"""Side (output px) of the squares on which noise is measured."""
PLACES = ((0.5, 0.5), (0.3, 0.3), (0.3, 0.7), (0.7, 0.3), (0.7, 0.7))
"""Of these squares, as parts of the room there is."""
MOST = 100
"""Frames that are looked at there."""
EDGE = 2
"""px of the first pass, about its border, where mosaics lack colours: no holes."""
HOLES_WORTH_A_WORD = 1e-4
PIXEL_SCALES = frozenset({"SECPIX", "SECPIX1", "SECPIX2", "PIXSCALE", "PIXSCAL1", "PIXSCAL2", "SCALE"})
"""Cards of capture programs: arcsec of a pixel."""


def header_of(drizzler: Drizzler, meta: Meta, like: Meta) -> Meta:
    """Header facts of the drizzled stack, from those of the first pass (``meta``) and of a frame (``like``).

    A pixel of the result holds 1 / scale^2 of a frame pixel's electrons at the same value: that is its gain, and the
    read noise falls likewise, so that sums over apertures come out right.
    """
    drizzle = drizzler.drizzle
    cards = (
        ("DRIZSCAL", drizzle.scale, "output pixels per reference pixel"),
        ("DRIZPIXF", drizzle.pixfrac, "[px] side of a drop in frame pixels"),
        ("DRIZKERN", drizzle.kernel, "shape of a drop"),
        ("NOISERAT", round(correlation(drizzler), 4), "noise of large areas over that of pixels"),
    )
    return meta.replace(
        binning=like.binning,
        pixel_size=like.pixel_size / drizzle.scale if like.pixel_size else None,
        gain=meta.gain / drizzle.scale**2 if meta.gain else None,
        read_noise=meta.read_noise / drizzle.scale if meta.read_noise else None,
        cards=tuple(_finer(card, drizzle.scale) for card in meta.cards if card[0] not in {c[0] for c in cards}) + cards,
    )


def _finer(card: tuple[str, Any, str], scale: float) -> tuple[str, Any, str]:
    """A card that came along; one of the pixel scale brought up to date."""
    keyword, value, comment = card
    if keyword in PIXEL_SCALES and isinstance(value, int | float):
        return keyword, value / scale, comment
    return card


def history_of(drizzle: Drizzle) -> str:
    """What the history of the stack says."""
    return (
        f"drizzled: scale={drizzle.scale:g},pixfrac={drizzle.pixfrac:g},kernel={drizzle.kernel},"
        f"reject={drizzle.reject:g},fill={str(drizzle.fill).lower()}"
    )


def summary_of(drizzler: Drizzler, stacked: Stacked) -> dict[str, Any]:
    """What ``run.json`` and the provenance say."""
    return {
        **drizzler.drizzle.model_dump(),
        "noise_ratio": round(correlation(drizzler), 4),
        "holes": [round(share, 6) for share in holes(drizzler, stacked)],
    }


def correlation(drizzler: Drizzler) -> float:
    """Correlated-noise ratio R of the drop and pixel sizes; points are in one pixel each, and share nothing."""
    if drizzler.drizzle.kernel == "point":
        return 1.0
    enlarged = float(np.median([source.on_grid.scale for source in drizzler.sources]))
    return noise_ratio(drizzler.drizzle.pixfrac, drizzler.drizzle.scale * enlarged)


def noise_of(drizzler: Drizzler, stacked: Stacked) -> float:
    """Noise of the stack per *frame* pixel, adu, mean of the channels, as `compare_noise` has it for resampling.

    White noise is dropped the same way, and the stack held against it where it fell.
    """
    height, width = drizzler.size
    squares, weights = np.zeros(drizzler.channels), 0.0
    step = max(1, len(drizzler.sources) // MOST)
    for source in drizzler.sources[::step]:
        squares += source.weight**2 * source.noise
        weights += source.weight
    real, model = [], []
    for part_y, part_x in PLACES:
        top, left = (int(part * max(size - PATCH, 0)) for part, size in ((part_y, height), (part_x, width)))
        tile = top, min(top + PATCH, height), left, min(left + PATCH, width)
        white = _drop_white(drizzler, step, tile)
        where = np.s_[:, tile[0] : tile[1], tile[2] : tile[3]]
        empty = (white.coverage == 0) | (stacked.coverage[where] == 0)
        for found, plane in ((real, stacked.mean[where]), (model, white.mean)):
            found.append(np.where(empty, np.float32(np.nan), plane))
    noise = [
        diagonal_noise(np.concatenate([patch[c] for patch in real]))
        / diagonal_noise(np.concatenate([patch[c] for patch in model]))
        * np.sqrt(squares[c]) / weights
        for c in range(drizzler.channels)
    ]  # fmt: skip
    return float(np.mean(noise))


def _drop_white(drizzler: Drizzler, step: int, tile: tuple[int, int, int, int]) -> Drizzled:
    """White noise of the size of each frame's, dropped onto a tile."""
    canvas = Canvas(drizzler.channels, tile, drizzler.drizzle)
    for i, (source, forward) in enumerate(list(zip(drizzler.sources, drizzler.forwards))[::step]):
        channels, *shape = source.shape
        window = seen_by(forward, tile, (shape[0], shape[1]))
        if window is None:
            continue
        rng = np.random.Generator(np.random.PCG64(i))
        top, left = window[0], window[2]
        for channel in range(channels):
            white = rng.standard_normal((window[1] - top, window[3] - left), dtype=np.float32)
            ys, xs = np.mgrid[: white.shape[0], : white.shape[1]]
            white *= np.sqrt(source.noise)[(drizzler.pattern + channel)[(ys + top) % 2, (xs + left) % 2]].astype("f4")
            canvas.add(
                white, forward, weight=source.weight, first_row=top, first_column=left, pattern=drizzler.pattern,
                channel=channel, same_frame=channel > 0,
            )  # fmt: skip
    return canvas.finish()


def notes_of(drizzler: Drizzler, stacked: Stacked) -> list[str]:
    """What an observer should know: correlated noise, and holes with their cure."""
    drizzle, n = drizzler.drizzle, len(drizzler.sources)
    notes = [
        f"drizzled to {drizzle.scale:g}x, each pixel into one: their noise is independent"
        if drizzle.kernel == "point"
        else f"drizzled to {drizzle.scale:g}x, pixfrac {drizzle.pixfrac:g}: neighbouring pixels share drops; "
        f"noise of large areas is {correlation(drizzler):.2f} times what single pixels promise"
    ]
    if drizzle.reject and n < FEWEST_WITNESSES:
        notes.append(f"{n} frame{'s' * (n > 1)}: too few to tell outliers; nothing was rejected")
    names = ("red", "green", "blue") if drizzler.channels == 3 else ("",)
    made = "filled from the ordinary stack, flagged INTERPOLATED" if drizzle.fill else "flagged NO_DATA"
    found = [(share, channel) for channel, share in enumerate(holes(drizzler, stacked)) if share > HOLES_WORTH_A_WORD]
    if found:
        shown = [f"{_percent(share)} % of the {names[c]} pixels".replace("  ", " ") for share, c in found]
        notes.append(f"{', '.join(shown)} got no drop ({made}); {_cure(drizzler, *max(found))}")
    return notes


def _percent(share: float) -> str:
    return f"{100 * share:.2g}" if share < 0.5 else f"{100 * share:.0f}"


def holes(drizzler: Drizzler, stacked: Stacked) -> list[float]:
    """Per channel, share of the pixels within reach of a frame on which no drop fell."""
    from scipy import ndimage

    height, width = drizzler.size
    seen = ~has(drizzler.first.flags, Flag.NO_DATA).all(axis=0)
    inside = ndimage.binary_erosion(seen, np.ones((2 * EDGE + 1, 2 * EDGE + 1)))
    # Rows and columns of the first pass, of whatever size its planes are.
    shrink = round(1 / drizzler.cell.scale)
    ys = np.minimum(np.arange(height) * drizzler.grid.height // (height * shrink), inside.shape[0] - 1)
    xs = np.minimum(np.arange(width) * drizzler.grid.width // (width * shrink), inside.shape[1] - 1)
    inside = inside[np.ix_(ys, xs)]
    total = max(np.count_nonzero(inside), 1)
    return [np.count_nonzero((plane == 0) & inside) / total for plane in stacked.coverage]


def _cure(drizzler: Drizzler, share: float, channel: int) -> str:
    """Frames or pixfrac that would leave fewer holes than are worth a word, by how fast they closed so far."""
    drizzle, n = drizzler.drizzle, len(drizzler.sources)
    mine = drizzler.pattern == channel if drizzler.is_mosaic else np.ones((2, 2), bool)
    missed = 1 - touched(mine, drizzle.pixfrac, drizzle.scale)
    cures = []
    if share < 0.9:
        more = int(np.ceil(n * np.log(HOLES_WORTH_A_WORD) / np.log(share))) - n
        cures.append(f"about {max(more, 1)} more dithered frames")
    if 0 < missed < 1:
        # Frames as good as randomly dithered ones: fewer than there are where dithers repeat themselves.
        worth = np.log(share) / np.log(missed)
        for pixfrac in np.arange(np.floor(10 * drizzle.pixfrac) + 1, 11) / 10:
            if (1 - touched(mine, pixfrac, drizzle.scale)) ** worth < HOLES_WORTH_A_WORD:
                cures.append(f"pixfrac {pixfrac:g}")
                break
        else:
            for scale in np.arange(np.ceil(2 * drizzle.scale) - 1, 1, -1) / 2:
                if (1 - touched(mine, drizzle.pixfrac, scale)) ** worth < HOLES_WORTH_A_WORD:
                    cures.append(f"scale {scale:g}")
                    break
    return f"{' or '.join(cures)} would close them" if cures else "frames dithered by odd amounts would close them"


def touched(mine: np.ndarray, pixfrac: float, scale: float) -> float:
    """Share of the output pixels that drops of one upright frame reach, on average over its sub-pixel places.

    ``mine`` (2, 2) tells which places of the cell have drops.

    >>> touched(np.array([[True, False], [False, False]]), 1.0, 2.0)
    0.5625
    """
    steps = 64
    at = (np.arange(steps) + 0.5) * 2 / steps
    reach = 0.5 * (pixfrac + 1.0 / scale)
    near = [np.abs((at - place + 1) % 2 - 1) < reach for place in (0, 1)]
    hit = np.zeros((steps, steps), bool)
    for y, x in zip(*np.nonzero(mine)):
        hit |= near[y][:, None] & near[x][None, :]
    return float(hit.mean())
