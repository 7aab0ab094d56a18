"""Building the library: what is made, what stands, what is refused; two at once."""

import subprocess
import sys

import numpy as np
import pytest

from calibration_frames import CAMERA, SHAPE, START, write_frame, write_frames
from firstlight.errors import InputError
from firstlight.io.read import read
from firstlight.io.write import read_provenance
from firstlight.library.store import Library
from firstlight.pipeline.library_build import BuildSettings, build_library, describe_sources

QUICK = BuildSettings(threads=2, memory=200)


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "library")


def build(library, *sources, **settings):
    return build_library(library, list(sources), QUICK.model_copy(update=settings))


def test_masters_are_made_once_and_name_their_frames(tmp_path, library):
    write_frames(tmp_path / "raw", "bias", 16)
    write_frames(tmp_path / "raw", "dark", 10, level=520, EXPTIME=60.0)
    first = build(library, tmp_path / "raw")
    assert [name.rsplit("_", 2)[0] for name, _ in first.made] == [
        "master_bias_-10C_gain26",
        "master_dark_60s_-10C_gain26",
    ]
    (bias, dark) = library.entries()
    assert (bias.n_frames, dark.n_frames) == (16, 10)
    record = read_provenance(bias.frame.path)
    assert len(record["inputs"]) == 16
    assert all(len(i["hash"]) >= 32 and i["start"] for i in record["inputs"])
    assert (record["from"][:10], record["kind"], record["facts"]["level"]) == (
        "2026-01-17",
        "bias",
        pytest.approx(500, abs=1),
    )
    assert read(bias.frame.path).data.dtype == np.float32
    before = {e.frame.path: e.frame.path.stat().st_mtime_ns for e in library.entries()}
    second = build(library, tmp_path / "raw")
    assert (second.made, len(second.standing)) == ([], 2)
    assert {e.frame.path: e.frame.path.stat().st_mtime_ns for e in library.entries()} == before


def test_moved_frames_are_known_again(tmp_path, library):
    write_frames(tmp_path / "raw", "bias", 5)
    build(library, tmp_path / "raw")
    (tmp_path / "raw").rename(tmp_path / "moved")
    assert build(library, tmp_path / "moved").made == []


def test_new_frames_wait_for_refresh_and_the_old_master_stays(tmp_path, library):
    write_frames(tmp_path / "raw", "bias", 5)
    build(library, tmp_path / "raw")
    write_frames(tmp_path / "raw" / "more", "bias", 7, days=1, seed=5)
    result = build(library, tmp_path / "raw")
    assert (result.made, result.waiting[0][1]) == ([], "7 new frames")
    assert len(build(library, tmp_path / "raw", refresh=True).made) == 1
    assert sorted(e.n_frames for e in library.entries()) == [5, 12]
    assert [e.n_frames for e in library.usable()] == [12]


def test_a_changed_frame_is_seen_by_its_content(tmp_path, library):
    paths = write_frames(tmp_path / "raw", "bias", 5)
    build(library, tmp_path / "raw")
    content = bytearray(paths[2].read_bytes())
    content[-2000] ^= 1
    paths[2].write_bytes(content)
    assert build(library, tmp_path / "raw").waiting[0][1] == "1 changed"
    assert any("has changed since" in problem for problem in library.verify()[0])


def test_a_pause_begins_a_new_master(tmp_path, library):
    write_frames(tmp_path / "raw" / "1", "bias", 5)
    write_frames(tmp_path / "raw" / "2", "bias", 5, days=90, seed=1)
    assert len(build(library, tmp_path / "raw").made) == 2


def test_a_master_unlike_the_last_one_is_kept_and_not_used(tmp_path, library):
    write_frames(tmp_path / "good", "bias", 12)
    write_frames(tmp_path / "bad", "bias", 12, level=560, days=60, seed=1)
    build(library, tmp_path / "good")
    result = build(library, tmp_path / "bad")
    assert (len(result.made), len(result.refused)) == (0, 1)
    assert "100.00 % of its pixels differ" in result.refused[0][1]
    assert len(library.entries()) == 2
    assert len(library.usable()) == 1
    assert build(library, tmp_path / "bad").refused == []
    assert len(build(library, tmp_path / "bad", accept=True).made) == 1
    assert len(library.usable()) == 2


def test_a_slow_drift_is_no_fault(tmp_path, library):
    write_frames(tmp_path / "1", "bias", 12)
    write_frames(tmp_path / "2", "bias", 12, level=506, days=60, seed=1)
    build(library, tmp_path / "1")
    result = build(library, tmp_path / "2")
    assert len(result.made) == 1
    assert "by +6" in result.made[0][1]


def test_a_bad_frame_and_a_light_among_twenty_darks_are_set_aside(tmp_path, library):
    folder = tmp_path / "darks"
    write_frames(folder, "dark", 20, EXPTIME=60.0)
    rng = np.random.default_rng(0)
    leak = 500 + 40 * np.linspace(0, 2, SHAPE[1]) + rng.normal(0, 5, SHAPE)
    write_frame(folder / "leak.fits", leak, "dark", EXPTIME=60.0, **{"DATE-OBS": START.isoformat()})
    sky = 500 + rng.normal(0, 5, SHAPE)
    for y, x in rng.integers(2, 46, (12, 2)):
        sky[y - 1 : y + 2, x - 1 : x + 2] += 400
    write_frame(folder / "light.fits", sky, "dark", EXPTIME=60.0, **{"DATE-OBS": START.isoformat()})
    result = build(library, folder)
    reasons = {path.rsplit("/", 1)[1]: reason for path, reason in result.set_aside.items()}
    assert set(reasons) == {"leak.fits", "light.fits"}
    assert "off the others'" in reasons["leak.fits"]
    assert "are there stars?" in reasons["light.fits"]
    assert library.entries()[0].n_frames == 20


def test_flats_lose_their_bias_by_a_master_of_the_library(tmp_path, library):
    write_frames(tmp_path / "bias", "bias", 10)
    build(library, tmp_path / "bias")
    write_frames(tmp_path / "flats", "flat", 6, level=20000, noise=50, EXPTIME=2.0, FILTER="R")
    result = build(library, tmp_path / "flats")
    assert len(result.made) == 1
    flat = next(e for e in library.entries() if e.kind == "flat")
    assert flat.record["subtracted"].startswith("master_bias")
    image = read(flat.frame.path)
    assert np.mean(image.data, dtype=np.float64) == pytest.approx(1, abs=1e-6)
    assert "bias" in image.meta.calibrated


def test_what_names_no_camera_is_not_made(tmp_path, library):
    write_frames(tmp_path / "raw", "bias", 5, INSTRUME=None)
    result = build(library, tmp_path / "raw")
    assert "headers name no camera" in result.skipped[0][1]
    assert library.entries() == []


def test_a_set_that_fails_does_not_stop_the_others(tmp_path, library):
    write_frames(tmp_path / "raw", "bias", 5)
    write_frames(tmp_path / "raw", "flat", 4, level=65535, noise=0, FILTER="R", EXPTIME=1.0)
    result = build(library, tmp_path / "raw")
    assert len(result.made) == 1
    assert "saturated" in result.failed[0][1]


def test_a_lost_or_damaged_index_is_made_again(tmp_path, library):
    write_frames(tmp_path / "raw", "bias", 5)
    build(library, tmp_path / "raw")
    for content in (None, b"", b"no database at all" * 400):
        if content is None:
            library.index.unlink()
        else:
            library.index.write_bytes(content)
        assert [e.n_frames for e in Library(library.path).entries()] == [5]
        assert build(library, tmp_path / "raw").made == []


def test_a_damaged_master_is_never_used_and_made_again(tmp_path, library):
    write_frames(tmp_path / "raw", "bias", 5)
    build(library, tmp_path / "raw")
    path = library.entries()[0].frame.path
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    places = [400, 1000, len(whole) - 100, *rng.integers(0, len(whole), 20)]
    for place in places:
        content = bytearray(whole)
        content[place] ^= 1 << int(rng.integers(0, 7))
        path.write_bytes(content)
        assert library.usable() == [], place
        assert len(library.damaged) == 1
    path.write_bytes(whole[: len(whole) // 2])
    assert library.usable() == []
    result = build(library, tmp_path / "raw")
    assert len(result.made) == 1
    assert path.read_bytes() == whole
    assert len(library.usable()) == 1


def test_unknown_sources_are_refused(tmp_path, library):
    with pytest.raises(InputError, match="no such file or folder"):
        build(library, tmp_path / "nowhere")


def test_the_description_tells_sets_and_reasons(tmp_path, library):
    write_frames(tmp_path / "raw", "bias", 3)
    write_frames(tmp_path / "raw" / "mode", "bias", 3, READOUTM="fast")
    text = describe_sources(library, [tmp_path / "raw"])
    assert "bias frames at -10 C, gain 26, offset 10: 3 frames, camera QHY600M, 64 x 48 px" in text
    assert "readout mode fast" in text
    assert "by IMAGETYP" in text


@pytest.mark.slow
def test_two_builds_at_once_make_each_master_once(tmp_path, library):
    for i in range(4):
        write_frames(tmp_path / "raw" / str(i), "dark", 5, EXPTIME=10.0 * (i + 1))
    program = "import sys; from firstlight.cli.main import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "library", "build", "-s", str(tmp_path / "raw"), "--path",
               str(library.path), "-q", "--threads", "1", "--memory", "200"]  # fmt: skip
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    texts = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    made = sum(int(text.rsplit(" made, ", 1)[0].rsplit("\n", 1)[1]) for text in texts)
    assert made == 4
    assert len(library.usable()) == 4
    assert library.damaged == []


def test_all_keys_of_the_camera_are_part_of_the_key(tmp_path, library):
    others = {
        "OFFSET": 30, "READOUTM": "fast", "GAIN": 0, "XBINNING": 2, "XORGSUBF": 8, "YORGSUBF": 8, "CAMSER": "17",
        "BAYERPAT": "RGGB", "INSTRUME": "QHY268M", "SET-TEMP": -5.0, "CALSTAT": "B",
    }  # fmt: skip
    write_frames(tmp_path / "raw" / "base", "dark", 3, EXPTIME=60.0)
    for key, value in others.items():
        extra = {"XORGSUBF": {"YORGSUBF": 0}, "YORGSUBF": {"XORGSUBF": 0}, "XBINNING": {"YBINNING": 2}}.get(key, {})
        write_frames(tmp_path / "raw" / key, "dark", 3, EXPTIME=60.0, **{key: value, **extra})
    write_frames(tmp_path / "raw" / "swapped", "dark", 3, EXPTIME=60.0, shape=SHAPE[::-1])
    assert set(others) & set(CAMERA)
    result = build(library, tmp_path / "raw")
    assert len(result.made) == len(others) + 2
    assert all(e.n_frames == 3 for e in library.entries())
