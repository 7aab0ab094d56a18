"""Lights onto one reference: by stars of a part of it, by phase and by features, and across the pier flip."""

import numpy as np
import pytest

from firstlight.errors import FrameError, InputError, SpecError
from firstlight.io.write import write
from firstlight.model.image import Image
from firstlight.pipeline.process import process
from firstlight.pipeline.register import place
from firstlight.pipeline.settings import Output, Register, Settings
from firstlight.pipeline.tracking import attended, looked_at
from firstlight.simulate.night import Camera, Night, Sky, Telescope, load_truth, simulate

SHAPE = (300, 400)
NIGHT = Night(
    target="Flip", n_lights=8, n_darks=4, n_bias=4, n_flats=6, exposures=(60.0,), dither=7.0, drift=40.0,
    meridian_flip=True, trails=0.0, camera=Camera(width=400, height=300), telescope=Telescope(dust=1),
    sky=Sky(stars_per_mpx=1500.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flip") / "night"
    simulate(folder, NIGHT)
    return folder


def run(night, folder, **registration):
    settings = Settings(registration=Register(**registration), output=Output(pictures=False))
    return process(night, settings, output=folder)


@pytest.fixture(scope="module")
def by_stars(night, tmp_path_factory):
    return run(night, tmp_path_factory.mktemp("stars") / "run")


@pytest.mark.parametrize(("method", "limit"), [("stars", 0.2), ("phase", 0.6), ("features", 0.2)])
def test_both_sides_of_the_pier_lie_on_each_other(night, by_stars, method, limit):
    prepared = by_stars.stacks[0].prepared
    settings = Settings(registration=Register(method=method))
    lights = [p.light for p in prepared.placed]
    assert len(lights) == 8, by_stars.set_aside
    if method == "features":
        lights = [lights[0], lights[-1]]
    placed = [place(light, prepared.reference, settings) for light in lights]
    turned = [p for p in placed if abs(abs(p.registration.transform.rotation) - 180) < 1]
    assert len(turned) == len(placed) // 2
    assert all("other side of the pier" in " ".join(p.notes) for p in turned)
    corners = np.array([(0, 0), (399, 0), (0, 299), (399, 299)], float)
    for p in placed:
        expected = load_truth(night).between(p.light.frame.path, prepared.reference.frame.path)(corners)
        assert np.hypot(*(p.registration.transform(corners) - expected).T).max() < limit


def test_frames_from_the_other_side_are_named(by_stars):
    """With the reference on one side, four lights are on the other."""
    assert any(
        note.endswith("(4 lights): were taken on the other side of the pier") for note in by_stars.stacks[0].notes
    )


def matched(result, rule):
    """Stars that each light of a registered session matches when registration looks where the rule says."""
    prepared = result.stacks[0].prepared
    settings = Settings(registration=rule)
    placed = [place(p.light, prepared.reference, settings) for p in prepared.placed]
    return [p for p in placed if p.registration.rms]


def test_only_stars_of_the_region_are_used(night, by_stars):
    used = matched(by_stars, Register(region="20,20,219,199"))
    every = matched(by_stars, Register())
    assert max(p.registration.n_matched for p in used) < 0.6 * max(p.registration.n_matched for p in every)
    reference = by_stars.stacks[0].prepared.reference.frame.path
    corners = np.array([[30, 30], [200, 30], [30, 180], [200, 180]], float)
    for p in used:
        back = load_truth(night).between(reference, p.light.frame.path)(corners)
        assert np.hypot(*(p.registration.transform(back) - corners).T).max() < 0.25


def test_what_the_mask_shows_is_not_used(by_stars, tmp_path):
    plane = np.zeros(SHAPE, np.float32)
    plane[:, 200:] = 1.0
    mask = write(tmp_path / "mask.fits", Image(plane))
    used = matched(by_stars, Register(mask=str(mask)))
    every = matched(by_stars, Register())
    assert max(p.registration.n_matched for p in used) < 0.7 * max(p.registration.n_matched for p in every)
    seen = looked_at(SHAPE, Register(mask=str(mask), region="100,0,399,299"))
    assert seen[:, 100:200].all()
    assert not seen[:, 200:].any()
    assert not seen[:, :100].any()


def test_what_cannot_be_looked_at_is_told(by_stars, tmp_path):
    reference = by_stars.stacks[0].prepared.reference
    with pytest.raises(InputError, match="at most 0,0,399,299"):
        looked_at(SHAPE, Register(region="0,0,400,299"))
    mask = write(tmp_path / "mask.fits", Image(np.zeros((10, 10), np.float32)))
    with pytest.raises(InputError, match="10 x 10 px, the reference 400 x 300"):
        looked_at(SHAPE, Register(mask=str(mask)))
    with pytest.raises(InputError, match="--registration-mask"):
        looked_at(SHAPE, Register(mask=str(tmp_path / "nothere.fits")))
    everything = write(tmp_path / "all.fits", Image(np.ones(SHAPE, np.float32)))
    with pytest.raises(InputError, match="none of its"):
        attended(reference, Register(mask=str(everything)))


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "9,9,3,12"])
def test_a_region_is_four_numbers(text):
    from firstlight.cli.settings import settings_from

    with pytest.raises(SpecError, match="--registration-region"):
        settings_from({"set__registration__region": text})


def test_nearest_keeps_the_bytes_of_whole_shifts():
    """Shifts by whole pixels through every kernel are exact copies: nothing is interpolated."""
    from firstlight.model.registration import Transform
    from firstlight.ops.align.resample import resample_tile

    plane = np.random.default_rng(1).normal(800, 20, (60, 80)).astype(np.float32)
    for kernel in ("nearest", "bilinear", "bicubic", "lanczos2", "lanczos3", "lanczos4"):
        for turned in (False, True):
            matrix = np.diag([-1.0, -1.0, 1.0]) if turned else np.eye(3)
            matrix[:2, 2] = (79 + 5, 59 - 3) if turned else (5, -3)
            out = np.empty_like(plane)
            resample_tile(plane, 0, plane.shape, Transform(matrix), out, 0, 0, kernel=kernel)
            expected = np.full_like(plane, np.nan)
            source = plane[::-1, ::-1] if turned else plane
            expected[:57, 5:] = source[3:, :75]
            inner = np.s_[6:50, 12:70]
            assert out[inner].tobytes() == expected[inner].tobytes(), kernel
            if kernel == "nearest":
                assert out.tobytes() == expected.tobytes() or np.array_equal(out, expected, equal_nan=True)


def test_frames_that_lie_on_each_other_are_left_alone(by_stars):
    prepared = by_stars.stacks[0].prepared
    placed = [
        place(p.light, prepared.reference, Settings(registration=Register(method="none"))) for p in prepared.placed
    ]
    assert all(p.registration.transform.is_identity for p in placed)


def test_without_plates_nothing_is_registered_by_them(by_stars):
    prepared = by_stars.stacks[0].prepared
    other = next(p.light for p in prepared.placed if p.light is not prepared.reference)
    with pytest.raises(FrameError, match="has no plate"):
        place(other, prepared.reference, Settings(registration=Register(method="plate")))
