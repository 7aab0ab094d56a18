"""Sessions registered by their texture as well: the stack is sharp, the stars have the last word, it is told."""

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.io.write import write
from firstlight.model.distortion import Bend, Distorted, Unbend
from firstlight.model.image import Image, PixelUnit
from firstlight.model.lattice import Lattice
from firstlight.model.meta import Kind, Meta
from firstlight.model.registration import Registration, Transform
from firstlight.model.stars import Stars
from firstlight.ops.align.match import MatchStars
from firstlight.ops.stack.combine import Combine
from firstlight.pipeline.graph_results import placed_as_bytes, placed_of_bytes
from firstlight.pipeline.process import process
from firstlight.pipeline.refine import Refinement, refine, stars_against
from firstlight.pipeline.register import Placed
from firstlight.pipeline.settings import Normalize, Output, Register, Select, Settings
from firstlight.pipeline.stack import stack_files
from firstlight.pipeline.stack_settings import StackSettings
from ops.align.textures import distances, rms, seen, smooth_field, surface

SHAPE = (400, 500)
N = 5


@pytest.fixture(scope="module")
def fields():
    return [smooth_field(SHAPE, 100, 1.5, seed) for seed in range(N)]


@pytest.fixture(scope="module")
def moon(tmp_path_factory, fields):
    """Frames of one surface; the first as it is, the others bent from place to place."""
    folder = tmp_path_factory.mktemp("moon") / "frames"
    folder.mkdir()
    scene = surface(SHAPE)
    for k, field in enumerate(fields):
        plane = seen(scene, SHAPE, field if k else None, 10.0, seed=10 + k)
        meta = Meta(kind=Kind.LIGHT, exposure=0.1, gain=1.0, target="Moon")
        write(folder / f"light_{k}.fits", Image(plane[None], unit=PixelUnit.ADU, meta=meta))
    return folder


def files(moon):
    return sorted(moon.glob("light_*.fits"))


def sharpness(plane):
    return float(np.mean(np.square(np.diff(plane[40:-40, 40:-40], axis=1))))


def stacked(moon, tmp_path, **registration):
    # A plain mean: frames that do not lie on the others look noisy, and would weigh less.
    settings = StackSettings(
        registration=Register(reference="light_0.fits", **registration),
        stack=Combine(method="mean"),
        normalize=Normalize(weights="equal"),
    )
    return stack_files(files(moon), tmp_path / "out.fits", settings)


def test_files_that_lie_on_each_other_become_a_sharp_stack(moon, tmp_path):
    plain, refined = (stacked(moon, tmp_path, method="none", refine=how) for how in ("none", "corr"))
    truth = sharpness(seen(surface(SHAPE), SHAPE, noise=10 / N**0.5))
    assert sharpness(plain.image.data[0]) < 0.75 * truth
    assert sharpness(refined.image.data[0]) > 0.9 * truth
    assert any(f"{N - 1} frames refined by texture" in note for note in refined.notes), refined.notes


def test_a_session_is_refined_and_kept(moon, tmp_path, fields):
    settings = Settings(
        registration=Register(method="none", refine="corr", reference="light_0.fits"), output=Output(pictures=False),
        select=Select(everything=True),
    )  # fmt: skip
    first = process(moon, settings, output=tmp_path / "run")
    stack = first.stacks[0]
    assert len(stack.prepared.placed) == N, first.set_aside
    for placed in stack.prepared.placed:
        k = int(placed.light.name.split("_")[1][0])
        assert (placed.refinement is None) == (k == 0)
        if k:
            assert rms(distances(placed.registration.transform, fields[k], SHAPE)) < 0.06
            assert placed.registration.method == "none, texture: corr"
    assert any("refined by texture" in note for note in stack.notes), stack.notes
    other = settings.model_copy(update={"stack": settings.stack.model_copy(update={"method": "median"})})
    again = process(moon, other, output=tmp_path / "run")
    assert any("refined by texture" in note for note in again.stacks[0].notes)


def test_frames_without_texture_stay_as_they_were():
    rng = np.random.default_rng(1)
    planes = [rng.normal(0, 1, SHAPE).astype(np.float32) for _ in range(2)]
    known = Registration(Transform.of_shift(1.0, 2.0), 9, 0.1, "stars: similarity")
    found, told = refine(known, *planes, Stars.empty(), Stars.empty(), "corr", MatchStars())
    assert found is known
    assert "fewer than 24 patches" in told.why_not


def stars_at(positions):
    ones = np.ones(len(positions))
    x, y = positions.T
    return Stars(x, y, ones, ones, 3 * ones, ones, 0 * ones, 0 * ones, 50 * ones, 0 * ones)


@pytest.fixture
def positions():
    return np.random.default_rng(4).uniform((20, 20), (480, 380), (60, 2))


def test_stars_have_the_last_word(positions):
    shaken = positions + np.random.default_rng(5).normal(0, 0.05, positions.shape)
    stars, guide = stars_at(positions), stars_at(shaken)
    right, wrong = Transform.identity(), Transform.of_shift(0.4, 0.0)
    assert "60 stars would lie" in stars_against(stars, guide, right, wrong, MatchStars())
    assert not stars_against(stars, guide, wrong, right, MatchStars())
    assert not stars_against(stars, guide, right, right, MatchStars())
    few = slice(0, 5)
    assert not stars_against(stars.take(few), guide.take(few), right, wrong, MatchStars())


def test_a_texture_that_stars_contradict_is_not_followed(moon, fields, positions):
    scene = surface(SHAPE)
    planes = seen(scene, SHAPE, fields[1], 10.0), seen(scene, SHAPE)
    known = Registration(Transform.identity(), 60, 0.05, "stars: similarity")
    found, told = refine(known, *planes, stars_at(positions), stars_at(positions), "corr", MatchStars())
    assert found is known
    assert "60 stars would lie" in told.why_not
    assert told.after < told.before


def test_places_are_kept_whole(positions):
    bend = Bend((250.0, 200.0), 300.0, np.random.default_rng(1).normal(0, 1, (7, 2)))
    lattice = Lattice(64.0, np.random.default_rng(2).normal(0, 1, (10, 12, 2)))
    told = Refinement(1.0, 0.1, 64.0)
    for transform in (
        Transform.of_shift(2.0, 3.0), Distorted.of(bend, Transform.of_shift(2.0, 3.0), Unbend(lattice)),
        Distorted.of(Unbend(bend)), Distorted.of(lattice),
    ):  # fmt: skip
        placed = Placed(None, Registration(transform, 9, 0.1, "stars"), 1.1, ("a word",), told)
        back = placed_of_bytes(placed_as_bytes(placed), None)
        np.testing.assert_array_equal(back.registration.transform(positions), transform(positions))
        assert type(back.registration.transform) is type(transform)
        assert (back.refinement, back.notes, back.flux_ratio) == (told, ("a word",), 1.1)
    with pytest.raises(FrameError, match="no stars"):
        placed_of_bytes(placed_as_bytes("no stars"), None)
    assert placed_of_bytes(b"damaged", None) is None
