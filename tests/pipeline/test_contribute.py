"""Sessions of mixed exposures, weights by table and formula, and every mode, judged on simulated nights."""

import csv

import numpy as np
import pytest
from scipy.spatial import cKDTree

from firstlight.errors import InputError, SpecError
from firstlight.io.read import read
from firstlight.ops.stack.normalize import SCALED
from firstlight.pipeline.plan import plan
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Normalize, Output, Select, Settings
from firstlight.simulate.night import preset, simulate
from firstlight.simulate.truth import load_truth

EXPOSURES = (20.0, 60.0)


def settings(**normalize):
    return Settings(
        output=Output(pictures=False), select=Select(everything=True), mix="exposure", normalize=Normalize(**normalize)
    )


def lights_of(result):
    with open(result.output / "frames.csv", newline="") as file:
        return [row for row in csv.DictReader(file) if row["kind"] == "light" and row["accepted"] == "1"]


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night") / "mixed"
    simulate(folder, preset("tiny").model_copy(update={"exposures": EXPOSURES, "n_lights": 5, "seed": 3}))
    return folder


@pytest.fixture(scope="module")
def mixed(night, tmp_path_factory):
    return process(night, settings(mode="local"), output=tmp_path_factory.mktemp("out") / "run")


def test_exposures_share_a_stack_on_request_only(night, mixed):
    (stack,) = mixed.stacks
    assert stack.name == "Tiny_field_L_20-60s"
    assert stack.n_frames == 10
    assert len(plan(night, Settings()).groups) == 2


def test_each_frame_has_the_right_scale_and_weight(night, mixed):
    truth = load_truth(night)
    reference = truth[mixed.stacks[0].prepared.reference.frame.path]
    errors = []
    for row in lights_of(mixed):
        frame = truth[row["file"]]
        true = reference.exposure * reference.transparency / (frame.exposure * frame.transparency)
        errors.append(float(row["scale"]) / true - 1)
    # A short exposure of so small a field shows some ten stars that tell.
    assert abs(np.median(errors)) < 0.02
    assert np.abs(errors).max() < 0.08
    contributions = mixed.stacks[0].engine.contributions
    inverse = np.array([1 / float(np.mean((c.gain * c.noise) ** 2)) for c in contributions])
    np.testing.assert_allclose([c.weight for c in contributions], inverse / inverse.mean(), rtol=1e-6)
    assert mixed.stacks[0].engine.by_light


def test_header_of_a_mixed_stack(night, mixed):
    stack = mixed.stacks[0]
    meta = read(stack.files[0]).meta
    camera = load_truth(night).night.camera
    assert meta.exposure == pytest.approx(400.0)
    assert meta.n_combined == 10
    # Electrons of all frames per adu of the 60 s reference: 5 + 5 / 3 of its own, if all are weighed by exposure.
    assert meta.gain == pytest.approx(camera.gain * (5 + 5 / 3), rel=0.1)
    assert any("local" in line and "weights: noise" in line for line in read(stack.files[0]).history)


def test_noise_is_as_claimed(night, mixed):
    image = read(mixed.stacks[0].files[0])
    data, sigma = image.data[0][20:-20, 20:-20], np.sqrt(image.variance[0][20:-20, 20:-20])
    # Apart by more than the kernel reaches, and over slopes.
    step = data[:, 16:] - 2 * data[:, 8:-8] + data[:, :-16]
    pull = step / np.sqrt(6) / sigma[:, 8:-8]
    truth = load_truth(night)
    stars = truth.star_positions(truth[mixed.stacks[0].prepared.reference.frame.path])
    stars = stars[truth.stars["flux_L"].reshape(len(stars), -1)[:, 0] * 60 > 100] - 20
    yy, xx = np.mgrid[: pull.shape[0], 8 : pull.shape[1] + 8]
    places = np.column_stack([xx.ravel(), yy.ravel()])
    far = [cKDTree(stars).query(places + np.array([shift, 0]))[0] > 8 for shift in (-8, 0, 8)]
    empty = np.logical_and.reduce(far).reshape(pull.shape)
    assert empty.sum() > 2000
    assert 1.4826 * np.median(np.abs(pull[empty])) == pytest.approx(1.0, abs=0.08)


def test_unscaled_exposures_are_pointed_out(night, tmp_path):
    result = process(night, settings(mode="additive"), output=tmp_path / "run")
    assert any("not brought to one scale" in note for note in result.stacks[0].notes)


@pytest.mark.parametrize("mode", ["multiplicative", "signal", "multiplicative+scale", "none"])
def test_every_mode_makes_a_stack(night, tmp_path, mode):
    result = process(night, settings(mode=mode, weights="equal"), output=tmp_path / "run")
    contributions = result.stacks[0].engine.contributions
    backgrounds = np.array(
        [c.gain[0] * c.background[0] + c.zero(0, result.stacks[0].engine.level) for c in contributions]
    )
    level = result.stacks[0].engine.level[0]
    if mode.startswith("multiplicative"):
        np.testing.assert_allclose(backgrounds, level, rtol=1e-6)
    else:
        np.testing.assert_allclose(backgrounds, [c.background[0] for c in contributions], rtol=1e-6)
    if mode in SCALED:
        assert max(c.gain[0] for c in contributions) > 2
    assert all(c.weight == 1 for c in contributions)


def test_weights_by_table_and_a_changed_table_works_again(night, tmp_path):
    lights = sorted(path.name for path in (night / "Lights").glob("*.fits"))
    table = tmp_path / "mine.csv"
    table.write_text("file,weight\n" + "".join(f"{name},{1 + i % 2}\n" for i, name in enumerate(lights)))
    rule = settings(weights="csv", weights_file=str(table))
    first = process(night, rule, output=tmp_path / "run")
    found = {row["file"].split("/")[-1]: float(row["weight"]) for row in lights_of(first)}
    assert [round(found[name] / found[lights[0]], 3) for name in lights] == [1, 2] * 5
    assert process(night, rule, output=tmp_path / "run").unchanged
    table.write_text(table.read_text().replace(",2", ",3"))
    again = process(night, rule, output=tmp_path / "run")
    assert not again.unchanged
    assert max(float(row["weight"]) for row in lights_of(again)) == pytest.approx(1.5)


def test_weights_by_formula_are_those_of_frames_csv(night, tmp_path):
    result = process(night, settings(weights="formula", formula="snr / (fwhm**2 * scale)"), output=tmp_path / "run")
    rows = lights_of(result)
    expected = np.array([float(r["snr"]) / (float(r["fwhm"]) ** 2 * float(r["scale"])) for r in rows])
    np.testing.assert_allclose([float(r["weight"]) for r in rows], expected / expected.mean(), rtol=3e-3)


def test_what_cannot_be_is_said_before_any_work(night, tmp_path):
    with pytest.raises(SpecError, match="unknown metric 'seeing'"):
        process(night, settings(weights="formula", formula="1/seeing"), output=tmp_path / "run")
    with pytest.raises(InputError, match="WEIGHT is missing"):
        process(night, settings(weights="header"), output=tmp_path / "run")
    assert not (tmp_path / "run" / "masters").exists()
