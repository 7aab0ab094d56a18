"""A session from raw frames to products, judged by the truth of simulated nights."""

import csv
import hashlib
import json
import shutil

import numpy as np
import pytest
from scipy.spatial import cKDTree

from firstlight.errors import InputError
from firstlight.io.content import known_hash
from firstlight.io.read import read
from firstlight.model.flags import Flag, has
from firstlight.pipeline.describe import describe_plan
from firstlight.pipeline.plan import plan
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Output, Register, Settings
from firstlight.simulate.night import Camera, Night, Sky, load_truth, preset, simulate

QUICK = Settings(output=Output(pictures=False))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rows_of(result):
    with open(result.output / "frames.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night") / "tiny"
    simulate(folder, preset("tiny"))
    return folder


@pytest.fixture(scope="module")
def result(night, tmp_path_factory):
    return process(night, output=tmp_path_factory.mktemp("out") / "run")


def test_products_lie_where_the_readme_says(result):
    (stack,) = result.stacks
    names = sorted(p.relative_to(result.output).as_posix() for p in result.output.rglob("*") if p.is_file())
    assert stack.name == "Tiny_field_L_60s"
    for name in ("frames.csv", "run.json", f"stacks/{stack.name}.fits", f"pictures/{stack.name}.png",
                 f"pictures/{stack.name}.tif"):  # fmt: skip
        assert name in names
    assert sum(name.startswith("masters/master_") for name in names) == 3
    assert not [n for n in names if "scratch" in n or n.startswith(".")]


def test_transforms_agree_with_the_truth(night, result):
    truth = load_truth(night)
    reference = result.stacks[0].prepared.reference.frame.path
    corners = np.array([[0, 0], [299, 0], [0, 199], [299, 199]], float)
    for placed in result.stacks[0].prepared.placed:
        expected = truth.between(placed.light.frame.path, reference)(corners)
        error = placed.registration.transform(corners) - expected
        assert np.sqrt((error**2).sum(axis=1).mean()) < 0.15


def test_stack_is_the_sky_within_its_own_noise(night, result):
    truth = load_truth(night)
    stack = result.stacks[0]
    reference = truth[stack.prepared.reference.frame.path]
    image = read(stack.files[0])
    stars = truth.star_positions(reference)
    yy, xx = np.mgrid[: image.shape[1], : image.shape[2]]
    bright = truth.stars["flux_L"].reshape(len(stars), -1)[:, 0] * reference.exposure > 200
    distance, _ = cKDTree(stars[bright]).query(np.column_stack([xx.ravel(), yy.ravel()]))
    empty = (distance.reshape(image.shape[1:]) > 12) & image.good[0] & (image.data.shape[0] == 1)
    empty[:15], empty[-15:], empty[:, :15], empty[:, -15:] = False, False, False, False
    data, sigma = image.data[0], np.sqrt(image.variance[0])
    design = np.column_stack(
        [np.ones(empty.sum()), xx[empty], yy[empty], xx[empty] ** 2, yy[empty] ** 2, (xx * yy)[empty]]
    )
    fit, *_ = np.linalg.lstsq(design.astype(float), data[empty].astype(float), rcond=None)
    pull = (data[empty] - design @ fit) / sigma[empty]
    assert 1.4826 * np.median(np.abs(pull)) == pytest.approx(1.0, abs=0.12)


def test_header_of_the_stack_is_right(night, result):
    truth = load_truth(night)
    stack = result.stacks[0]
    meta = read(stack.files[0]).meta
    n = stack.n_frames
    assert meta.n_combined == n
    assert meta.exposure == pytest.approx(60.0 * n)
    assert meta.target == "Tiny field"
    assert meta.filter == "L"
    camera = truth.night.camera
    assert meta.gain == pytest.approx(camera.gain * n, rel=0.15)
    assert meta.read_noise == pytest.approx(camera.read_noise * np.sqrt(n), rel=0.15)
    starts = sorted(p.light.frame.meta.start for p in stack.prepared.placed)
    assert meta.start == starts[0]
    assert starts[0] < meta.mid_time < meta.end
    assert {"bias", "dark", "flat"} <= meta.calibrated


def test_the_stack_tells_how_its_target_stood(night, result):
    """Airmass: the weighted mean of the frames'; altitude: in the middle of the light."""
    (stack,) = result.stacks
    frames = {str(p.light.frame.path.relative_to(night)): p.light.frame.meta.airmass for p in stack.prepared.placed}
    weights = [contribution.weight for contribution in stack.engine.contributions]
    meta = read(stack.files[0]).meta
    assert meta.airmass == pytest.approx(np.average(list(frames.values()), weights=weights), abs=2e-4)
    said = {keyword: value for keyword, value, _ in meta.cards}
    assert 1 / np.sin(np.radians(said["CENTALT"])) == pytest.approx(meta.airmass, abs=0.005)
    with open(result.output / "frames.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "light"]
    for row in rows:
        # The simulator worked the airmass out by itself.
        assert float(row["airmass"]) == pytest.approx(frames[row["file"]], abs=1e-4)
        assert 1 / np.sin(np.radians(float(row["altitude"]))) == pytest.approx(frames[row["file"]], abs=0.005)


def test_frames_csv_has_a_row_for_every_file(night, result):
    rows = rows_of(result)
    assert len(rows) == len(list(night.glob("*/*.fits")))
    lights = [r for r in rows if r["kind"] == "light" and r["accepted"] == "1"]
    assert all(float(r["m00"]) and r["weight"] and r["stars"] and r["fwhm"] for r in lights)


def test_record_holds_hashes_timings_and_memory(night, result):
    record = json.loads((result.output / "run.json").read_text())
    assert record["peak_memory_bytes"] > 1e7
    assert {"masters", "measure", "register", "integrate"} <= set(record["timings"])
    entry = record["inputs"][0]
    assert entry["xxh128"] == known_hash(entry["file"])
    assert record["settings"]["stack"]["method"] == "auto"


def test_second_run_does_nothing_and_a_changed_setting_works_again(night, result):
    before = {p: p.stat().st_mtime_ns for p in result.output.rglob("*.fits")}
    again = process(night, output=result.output)
    assert again.unchanged
    assert {p: p.stat().st_mtime_ns for p in result.output.rglob("*.fits")} == before


def test_same_bytes_with_one_thread_and_little_memory(night, tmp_path):
    digests = []
    for threads, memory in ((1, 0), (3, 40)):
        out = tmp_path / f"run{threads}"
        process(night, Settings(threads=threads, memory=memory, output=Output(pictures=False)), output=out)
        digests.append(_pixels(out))
    assert digests[0] == digests[1]


def _pixels(out):
    found = {}
    for path in sorted(out.rglob("*.fits")):
        image = read(path)
        found[path.name] = [hashlib.sha256(a.tobytes()).hexdigest() for a in (image.data, image.flags, image.variance)]
    return found


def test_broken_frames_cost_themselves_only(night, tmp_path):
    session = tmp_path / "broken"
    shutil.copytree(night, session, ignore=shutil.ignore_patterns(".truth"))
    lights = sorted((session / "Lights").iterdir())
    lights[0].write_bytes(lights[0].read_bytes()[:40_000])
    lights[1].write_bytes(b"no FITS at all")
    darks = sorted((session / "Darks").iterdir())
    darks[0].write_bytes(b"")
    result = process(session, QUICK)
    assert result.stacks[0].n_frames == 6
    assert len(result.set_aside) == 3
    assert all(reason for reason in result.set_aside.values())
    reasons = {r["file"]: r["reason"] for r in rows_of(result) if r["accepted"] == "0"}
    assert set(reasons) == {f"Lights/{lights[0].name}", f"Lights/{lights[1].name}", f"Darks/{darks[0].name}"}


def test_a_frame_of_another_field_is_refused(night, tmp_path):
    session = tmp_path / "mixed"
    shutil.copytree(night, session, ignore=shutil.ignore_patterns(".truth"))
    other = tmp_path / "other"
    simulate(other, preset("tiny").model_copy(update={"seed": 999, "n_lights": 1}))
    stranger = next((other / "Lights").iterdir())
    shutil.copy(stranger, session / "Lights" / "stranger.fits")
    result = process(session, QUICK)
    assert "stranger.fits" not in [p.light.name for p in result.stacks[0].prepared.placed]
    assert any("stranger.fits" in path for path in result.set_aside)


def test_raw_frames_are_only_read(night, result):
    assert not (night / "firstlight").exists()
    truth = load_truth(night)
    assert len(truth.frames) == len(list(night.glob("*/*.fits")))


def test_a_colour_camera_gives_a_colour_stack(tmp_path):
    night = preset("tiny").model_copy(
        update={"camera": preset("tiny").camera.model_copy(update={"cfa": "GRBG"}), "n_lights": 6}
    )
    simulate(tmp_path / "cfa", night)
    result = process(tmp_path / "cfa")
    (stack,) = result.stacks
    image = read(stack.files[0])
    assert image.shape == (3, 200, 300)
    assert image.meta.cfa is None
    truth = load_truth(tmp_path / "cfa")
    positions = truth.star_positions(truth[stack.prepared.reference.frame.path])
    fluxes = truth.stars["flux_L"]
    for k in np.argsort(fluxes.sum(axis=1))[::-1][:30]:
        x, y = np.rint(positions[k]).astype(int)
        others = np.delete(positions, k, axis=0)
        if not (20 < x < 280 and 20 < y < 180) or np.hypot(*(others - positions[k]).T).min() < 12:
            continue
        if has(image.flags[:, y - 3 : y + 4, x - 3 : x + 4], Flag.SATURATED).any():
            continue
        box = np.s_[y - 6 : y + 7, x - 6 : x + 7]
        light = [plane[box].sum() - 169 * np.median(plane[y - 12 : y + 13, x - 12 : x + 13]) for plane in image.data]
        np.testing.assert_allclose(np.array(light) / sum(light), fluxes[k] / fluxes[k].sum(), atol=0.06)
        break
    else:
        pytest.fail("no bright, lonely star in the field")


def test_union_framing_holds_all_frames(night, tmp_path):
    settings = QUICK.model_copy(update={"registration": Register(framing="union")})
    result = process(night, settings, output=tmp_path / "union")
    _, height, width = result.stacks[0].image.shape
    assert height > 200
    assert width > 300
    assert result.stacks[0].stacked.coverage.max() == result.stacks[0].n_frames


def test_lights_alone_work_and_the_plan_says_what_is_missing(night, tmp_path):
    session = tmp_path / "alone"
    shutil.copytree(night / "Lights", session)
    text = describe_plan(plan(session))
    assert "Darkless: " in text
    assert "Flatless: " in text
    assert not (session / "firstlight").exists()
    assert process(session, QUICK).stacks[0].n_frames == 8


def test_calibration_frames_alone_give_masters(night, tmp_path):
    session = tmp_path / "masters"
    for kind in ("Bias", "Darks", "Flats"):
        shutil.copytree(night / kind, session / kind)
    result = process(session, QUICK)
    assert result.stacks == ()
    assert len(result.masters) == 3


def test_two_filters_share_a_reference(tmp_path):
    night = Night(
        camera=Camera(width=300, height=240), sky=Sky(stars_per_mpx=2500.0), filters=("R", "B"), exposures=(60.0,),
        n_lights=4, n_darks=4, n_bias=4, n_flats=4, dither=6.0, trails=0.0,
    )  # fmt: skip
    simulate(tmp_path / "rb", night)
    result = process(tmp_path / "rb", QUICK)
    assert sorted(s.prepared.group.filter for s in result.stacks) == ["B", "R"]
    assert len({s.prepared.reference.name for s in result.stacks}) == 1


def test_no_room_is_said_before_anything_is_written(night, tmp_path, monkeypatch):
    from collections import namedtuple

    from firstlight.pipeline import room

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10_000))
    with pytest.raises(InputError, match="MB free; the run needs about"):
        process(night, QUICK, output=tmp_path / "full")
    assert not (tmp_path / "full").exists()
