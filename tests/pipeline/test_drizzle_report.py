"""What is said of a drizzled stack is true of it."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from firstlight.model.flags import Flag, has
from firstlight.model.meta import Meta
from firstlight.model.registration import Transform
from firstlight.ops.align.grid import Grid
from firstlight.ops.stack.combine import Combine
from firstlight.ops.stack.drizzle import Drizzle
from firstlight.pipeline.calibration import Calibration, Defects
from firstlight.pipeline.drizzle import Drizzler
from firstlight.pipeline.drizzle_report import (
    correlation,
    header_of,
    history_of,
    holes,
    noise_of,
    notes_of,
    summary_of,
    touched,
)
from firstlight.pipeline.integrate import Contribution, Engine
from firstlight.pipeline.mosaic import Colours
from memory_frame import memory_frame

SHAPE = (260, 300)
SKY, NOISE = 500.0, 8.0


def drizzled(n, drizzle, *, cfa="", seed=0, zoom=1.0, edge=0):
    """A night of noise: n frames, dithered at random."""
    rng = np.random.default_rng(seed)
    parts = []
    for i in range(n):
        frame = memory_frame(f"noise_{i}", rng.normal(SKY, NOISE, SHAPE).astype(np.float32), gain=1.0)
        x, y = rng.uniform(-5, 5, 2)
        move = Transform(np.array([[zoom, 0.002, x + edge], [-0.002, zoom, y], [0, 0, 1]]))
        one = np.ones(3)
        nothing = Calibration(defects=(Defects.of(np.zeros(SHAPE, bool)),))
        parts.append(Contribution(frame, nothing, move, one, SKY * one, NOISE * one, 1.0 + 0.2 * (i % 2), 1.0))
    engine = Engine(
        tuple(parts), Grid(*SHAPE, Transform.identity()), np.full(3, SKY), Combine(method="mean"), "lanczos3", 1.0,
        Colours(cfa, "bilinear") if cfa else None,
    )  # fmt: skip
    with ThreadPoolExecutor(2) as pool:
        drizzler = Drizzler.of(engine, engine.run(pool, 2, 10**8), drizzle)
        return drizzler, drizzler.run(pool, 2, 10**8)


@pytest.mark.parametrize("cfa", ["", "BGGR"])
@pytest.mark.parametrize(("scale", "pixfrac", "kernel"), [
    (1, 1.0, "square"), (2, 1.0, "square"), (2, 0.6, "turbo"), (3, 0.8, "point"),
])  # fmt: skip
def test_noise_is_that_of_the_frames(scale, pixfrac, kernel, cfa):
    """However far drops reach, the stack of n frames is as noisy as n frames are."""
    n = 14
    drizzler, stacked = drizzled(n, Drizzle(scale=scale, pixfrac=pixfrac, kernel=kernel), cfa=cfa)
    weights = np.array([source.weight for source in drizzler.sources])
    wanted = NOISE * np.sqrt((weights**2).sum()) / weights.sum()
    assert noise_of(drizzler, stacked) == pytest.approx(wanted, rel=0.04)


def test_header_facts():
    drizzler, _ = drizzled(2, Drizzle(scale=2, pixfrac=0.8))
    frame = Meta(gain=0.5, read_noise=3.0, pixel_size=3.76, binning=(2, 2), exposure=60.0)
    stack = frame.replace(
        gain=4.0, read_noise=9.0, exposure=480.0, binning=(4, 4), saturation=60_000.0,
        cards=(("SECPIX1", 1.5, "scale"), ("NOISERAT", 1.0, "old"), ("FOCUSER", "EAF", "")),
    )  # fmt: skip
    meta = header_of(drizzler, stack, frame)
    assert (meta.gain, meta.read_noise, meta.pixel_size, meta.binning) == (1.0, 4.5, 1.88, (2, 2))
    assert (meta.exposure, meta.saturation) == (480.0, 60_000.0)
    cards = {keyword: value for keyword, value, _ in meta.cards}
    assert cards["SECPIX1"] == 0.75
    assert cards["FOCUSER"] == "EAF"
    assert (cards["DRIZSCAL"], cards["DRIZPIXF"], cards["DRIZKERN"]) == (2, 0.8, "square")
    assert cards["NOISERAT"] == round(1.6 / (1 - 1 / 4.8), 4)
    assert len(cards) == len(meta.cards)
    # In an aperture of A frame pixels lie 4 A of the result: the read noise of the sum is that of the first pass.
    assert (meta.read_noise / meta.gain) ** 2 * 4 / 4**2 == pytest.approx((9.0 / 4.0) ** 2)


def test_pixels_of_another_scale():
    """Frames with pixels twice as large as the reference's drop twice as far."""
    drizzler, _ = drizzled(2, Drizzle(scale=1), zoom=2.0)
    assert correlation(drizzler) == pytest.approx(2.4, rel=1e-3)


@pytest.mark.parametrize("fill", [True, False])
def test_holes_are_told_with_their_cure(fill):
    drizzle = Drizzle(scale=2, pixfrac=0.5, fill=fill)
    drizzler, stacked = drizzled(6, drizzle, cfa="RGGB", edge=40)
    shares = holes(drizzler, stacked)
    nothing = has(drizzler.first.flags, Flag.NO_DATA).all(axis=0)
    inner = np.s_[20:-20, 110:-20]
    assert nothing[:, :30].all()
    for share, plane in zip(shares, stacked.coverage):
        assert share == pytest.approx((plane[inner] == 0).mean(), abs=0.02)
    assert shares[1] < shares[0] == pytest.approx(shares[2], abs=0.03)
    *_, note = notes_of(drizzler, stacked)
    for words in ("% of the red pixels", "of the green pixels", "of the blue pixels", "more dithered frames",
                  "flagged INTERPOLATED" if fill else "flagged NO_DATA"):  # fmt: skip
        assert words in note
    assert summary_of(drizzler, stacked)["holes"] == [round(share, 6) for share in shares]
    assert "pixfrac=0.5" in history_of(drizzle)


def test_the_cure_works():
    drizzle = Drizzle(scale=2, pixfrac=0.3)
    few = drizzled(5, drizzle)
    (note,) = [note for note in notes_of(*few) if "got no drop" in note]
    more = int(note.split("about ")[1].split()[0])
    assert holes(*few)[0] > 1e-3
    assert holes(*drizzled(5 + more, drizzle))[0] < 3e-4
    assert holes(*drizzled(5, Drizzle(scale=2, pixfrac=float(note.split("pixfrac ")[1].split()[0]))))[0] < 3e-4


def test_no_holes_no_words():
    drizzler, stacked = drizzled(8, Drizzle(scale=1.5))
    (note,) = notes_of(drizzler, stacked)
    assert "noise of large areas is 1.93 times" in note
    assert "too few to tell outliers" in notes_of(*drizzled(2, Drizzle(scale=1)))[1]


def test_touched():
    all_, one = np.ones((2, 2), bool), np.array([[False, False], [True, False]])
    assert touched(all_, 1.0, 3.0) == 1.0
    assert touched(all_, 0.5, 2.0) == 1.0
    assert touched(one, 1.0, 1.0) == 1.0
    assert touched(one, 0.5, 2.0) == pytest.approx(0.25)


def test_points_share_nothing():
    """Each pixel of a frame is in one pixel of the result: sums are as noisy as their pixels promise."""
    drizzler, stacked = drizzled(40, Drizzle(scale=1, pixfrac=0.5, kernel="point"))
    assert correlation(drizzler) == 1.0
    assert notes_of(drizzler, stacked)[0] == "drizzled to 1x, each pixel into one: their noise is independent"
    values = stacked.mean[0, 20:220, 20:220]
    blocks = values.reshape(50, 4, 50, 4).mean(axis=(1, 3))
    assert 4 * blocks.std() == pytest.approx(values.std(), rel=0.06)
