"""Live stacking, judged by the truth of what was put into the folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.read import read
from firstlight.io.write import read_provenance
from firstlight.model.meta import Kind
from firstlight.pipeline.live import live
from firstlight.pipeline.live_settings import LiveSettings
from firstlight.pipeline.settings import Register
from firstlight.pipeline.watch import Journal, Watch
from firstlight.simulate.night import preset, simulate
from pipeline.live_frames import NOISE, QUICK, SHAPE, SKY, START, frame, put, running, stack_of, stars, wait_for


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """24 frames, worked on at once."""
    folder = tmp_path_factory.mktemp("live") / "night"
    for i in range(24):
        put(folder, i, frame(i, level=SKY + 4 * i, dimming=1 - 0.005 * i))
    return folder, live(folder, QUICK, once=True)


def test_every_frame_is_in_the_stack(session):
    _, result = session
    assert result.counts == {"stacked": 24}
    assert result.stacks == [("M_1_L_30s", 24)]
    assert (result.waiting, result.set_aside) == (0, {})


def test_the_header_adds_up(session):
    meta = read(stack_of(session[1])).meta
    assert (meta.kind, meta.n_combined, meta.exposure, meta.filter) == (Kind.STACK, 24, 720.0, "L")
    assert meta.start == START
    assert meta.end == START + timedelta(seconds=35 * 23 + 30)
    # Dimmer frames are scaled up, and weigh less.
    middle = np.average(35 * np.arange(24) + 15, weights=(1 - 0.005 * np.arange(24)) ** 2)
    assert abs((meta.mid_time - START).total_seconds() - middle) < 5
    assert meta.gain == pytest.approx(24 / 1.062, rel=0.02)


def test_the_stack_is_the_sky_and_says_its_own_noise(session):
    image = read(stack_of(session[1]))
    residual = (image.data[0] - SKY - stars())[12:-12, 12:-12]
    sky = stars()[12:-12, 12:-12] < 0.5
    sigma = np.sqrt(image.variance[0])[12:-12, 12:-12]
    assert np.std(residual[sky]) == pytest.approx(np.median(sigma[sky]), rel=0.1)
    assert np.std(residual[sky]) < 1.1 * NOISE / np.sqrt(24)
    assert abs(np.mean(residual[sky])) < 0.3


def test_fluxes_are_unbiased(session):
    image = read(stack_of(session[1])).data[0] - SKY
    truth = stars()
    inner = np.zeros(SHAPE, bool)
    inner[12:-12, 12:-12] = True
    bright = (truth > 30) & inner
    assert image[bright].sum() == pytest.approx(truth[bright].sum(), rel=0.005)
    core = (truth > 0.4 * truth.max()) & inner
    assert image[core].sum() == pytest.approx(truth[core].sum(), rel=0.03)


def test_seeing_that_changes_does_not_eat_stars(tmp_path):
    widths = np.random.default_rng(5).uniform(2.5, 3.7, 20)
    for i, width in enumerate(widths):
        put(tmp_path, i, frame(i, fwhm=width, rays=False))
    result = live(tmp_path, QUICK, once=True)
    assert result.counts == {"stacked": 20}
    image = read(stack_of(result)).data[0] - SKY
    entries = read_provenance(stack_of(result))["live"]["absorbed"]
    weights, factors = (np.array([entry[name] for entry in entries]) for name in ("weight", "factor"))
    truth = np.tensordot(weights * factors, [stars(fwhm=width) for width in widths], 1) / weights.sum()
    inner = np.s_[14:-14, 14:-14]
    for low, high in ((20, np.inf), (100, 500), (500, np.inf)):
        there = (truth[inner] > low) & (truth[inner] < high)
        assert image[inner][there].sum() == pytest.approx(truth[inner][there].sum(), rel=0.01)


def test_rays_and_trails_do_not_survive(session):
    image = read(stack_of(session[1]))
    off = ((image.data[0] - SKY - stars()) / np.sqrt(image.variance[0]))[12:-12, 12:-12]
    sky = stars()[12:-12, 12:-12] < 0.5
    assert np.abs(off[sky]).max() < 6.0
    assert np.mean(np.abs(off[sky]) > 4) < 5e-4


def test_a_restart_goes_on_where_it_was_to_the_byte(session, tmp_path):
    folder, whole = session
    files = sorted(folder.glob("*.fits"))
    output = tmp_path / "firstlight"
    for count in (1, 4, 13, 24):
        for path in files[:count]:
            if not (tmp_path / path.name).exists():
                shutil.copy2(path, tmp_path)
        result = live(tmp_path, QUICK, once=True)
        assert result.counts == {"stacked": count}
        assert read(stack_of(result)).meta.n_combined == count
    one, other = read(stack_of(whole)), read(stack_of(result))
    for name in ("data", "variance", "flags"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert sorted(p.name for p in output.iterdir()) == ["journal.jsonl", "stacks"]


def test_a_frame_that_only_the_journal_knows_is_added_again(session, tmp_path):
    folder, _ = session
    for path in sorted(folder.glob("*.fits"))[:10]:
        shutil.copy2(path, tmp_path)
    live(tmp_path, QUICK, once=True)
    kept = (tmp_path / "firstlight" / "stacks").glob("*.fits").__next__().read_bytes()
    for path in sorted(folder.glob("*.fits"))[10:13]:
        shutil.copy2(path, tmp_path)
    result = live(tmp_path, QUICK, once=True)
    # As if it had been killed after the journal was written and before the stack was.
    after = stack_of(result).read_bytes()
    stack_of(result).write_bytes(kept)
    with open(tmp_path / "firstlight" / "journal.jsonl", "a") as file:
        file.write('{"file": "light_0')
    result = live(tmp_path, QUICK, once=True)
    assert result.counts == {"stacked": 13}
    assert stack_of(result).read_bytes() == after


def test_bad_frames_are_set_aside_with_the_reason(tmp_path):
    for i in range(9):
        put(tmp_path, i)
    put(tmp_path, 9, np.random.default_rng(0).normal(SKY, NOISE, SHAPE).astype(np.float32), name="clouded.fits")
    put(tmp_path, 10, frame(10, seed=77), name="elsewhere.fits")
    broken = put(tmp_path, 11, name="broken.fits")
    whole = broken.read_bytes()
    broken.write_bytes(whole[:20000])
    put(tmp_path, 12, np.full(SHAPE, 100, np.float32), name="dark.fits", IMAGETYP="dark")
    result = live(tmp_path, QUICK, once=True)
    assert result.counts == {"stacked": 9, "set aside": 3, "calibration frame": 1}
    assert set(result.set_aside) == {"clouded.fits", "elsewhere.fits", "broken.fits"}
    assert "stars" in result.set_aside["clouded.fits"]
    assert "cut short" in result.set_aside["broken.fits"]
    broken.write_bytes(whole)
    result = live(tmp_path, QUICK, once=True)
    assert result.counts == {"stacked": 10, "set aside": 2, "calibration frame": 1}


def test_a_stray_first_frame_is_not_followed(tmp_path):
    put(tmp_path, 0, frame(0, seed=99))
    for i in range(1, 9):
        put(tmp_path, i)
    result = live(tmp_path, QUICK, once=True)
    assert result.counts == {"stacked": 8, "set aside": 1}
    assert "none of the 3 frames after it" in result.set_aside["light_000.fits"]
    assert read(stack_of(result)).meta.n_combined == 8


@pytest.mark.parametrize("memory", [0, 1])
def test_filters_and_targets_have_stacks_of_their_own(tmp_path, memory):
    for i in range(20):
        put(tmp_path, i, FILTER="LR"[i % 2], OBJECT="M 1" if i < 18 else "M 2")
    result = live(tmp_path, QUICK.model_copy(update={"memory": memory}), once=True)
    assert result.stacks == [("M_1_L_30s", 9), ("M_1_R_30s", 9), ("M_2_L_30s", 1), ("M_2_R_30s", 1)]
    for name, n in result.stacks:
        image = read(result.output / "stacks" / f"{name}.fits")
        assert image.meta.n_combined == n
        assert image.meta.filter == name[4]


def test_a_burst_loses_nothing(tmp_path):
    put(tmp_path, 0)
    end = running(tmp_path)
    wait_for(tmp_path, 1)
    ready = [put(tmp_path / "firstlight" / "ready", i) for i in range(1, 41)]
    for path in ready:
        os.replace(path, tmp_path / path.name)
    wait_for(tmp_path, 41)
    result = end()
    assert sum(result.counts.values()) == 41
    assert result.counts["stacked"] == result.stacks[0][1] >= 39
    assert read(stack_of(result)).meta.n_combined == result.counts["stacked"]


def test_a_file_counts_when_it_is_whole(tmp_path):
    source = put(tmp_path / "elsewhere", 1).read_bytes()
    folder = tmp_path / "night"
    put(folder, 0)
    end = running(folder, QUICK.model_copy(update={"patience": 20.0}))
    wait_for(folder, 1)
    with open(folder / "slow.fits", "wb") as file:
        for part in range(0, len(source), len(source) // 6 + 1):
            file.write(source[part : part + len(source) // 6 + 1])
            file.flush()
            time.sleep(0.15)
    wait_for(folder, 2)
    assert end().counts == {"stacked": 2}


def test_a_file_that_never_becomes_whole_is_given_up(tmp_path):
    source = put(tmp_path / "elsewhere", 1).read_bytes()
    folder = tmp_path / "night"
    folder.mkdir()
    (folder / "half.fits").write_bytes(source[:30000])
    end = running(folder)
    wait_for(folder, 1)
    result = end()
    assert "cut short" in result.set_aside["half.fits"]


def program(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "firstlight", "live", *arguments, "--settle", "0.1", "--poll", "0.05", "--every", "0.1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on(tmp_path):
    for i in range(26):
        put(tmp_path / "ready", i)
    folder = tmp_path / "night"
    folder.mkdir()
    for k, stop_at in enumerate((2, 9, 17)):
        for i in range(k * 9, min(k * 9 + 9, 26)):
            shutil.copy2(tmp_path / "ready" / f"light_{i:03d}.fits", folder)
        process = program(str(folder))
        try:
            wait_for(folder, stop_at)
        finally:
            process.kill()
            process.communicate()
    (folder / "firstlight" / "stacks").mkdir(exist_ok=True)
    (folder / "firstlight" / "stacks" / ".M_1_L_30s.1234.fits").write_bytes(b"half")
    result = live(folder, QUICK, once=True)
    assert result.counts == {"stacked": 26}
    assert not list((folder / "firstlight" / "stacks").glob(".*"))
    assert result.stacks == [("M_1_L_30s", 26)]
    assert read(stack_of(result)).meta.n_combined == 26
    whole = live(tmp_path / "ready", QUICK, once=True)
    residual = read(stack_of(whole)).data - read(stack_of(result)).data
    assert np.std(residual) < 0.3 * NOISE / np.sqrt(26)


@pytest.mark.slow
def test_ctrl_c_ends_with_a_summary(tmp_path):
    for i in range(3):
        put(tmp_path, i)
    process = program(str(tmp_path))
    try:
        wait_for(tmp_path, 3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "M_1_L_30s: 3 frames" in out
    assert "3 stacked" in out
    assert (tmp_path / "firstlight" / "pictures" / "M_1_L_30s.png").stat().st_size > 1000


def test_raw_frames_are_calibrated_with_masters_of_the_folder(tmp_path):
    simulate(tmp_path / "night", preset("tiny"))
    result = live(tmp_path / "night", QUICK, once=True)
    assert result.counts == {"stacked": 8, "calibration frame": 18}
    meta = read(stack_of(result)).meta
    assert meta.calibrated == {"bias", "dark", "flat"}
    shutil.move(result.output / "masters", tmp_path / "masters")
    for name in ("Darks", "Bias", "Flats", "firstlight"):
        shutil.rmtree(tmp_path / "night" / name)
    again = live(tmp_path / "night", QUICK, masters=tmp_path / "masters", once=True)
    assert again.counts == {"stacked": 8}
    assert read(stack_of(again)).meta.calibrated == {"bias", "dark", "flat"}


def test_colour_mosaics_become_colour_stacks(tmp_path):
    night = preset("tiny")
    camera = night.camera.model_copy(update={"cfa": "RGGB"})
    simulate(tmp_path, night.model_copy(update={"filters": ("OSC",), "camera": camera}))
    result = live(tmp_path, QUICK, once=True)
    assert result.counts["stacked"] >= 7
    assert read(stack_of(result)).shape == (3, 200, 300)


def test_what_a_running_stack_cannot_do_is_refused(tmp_path):
    with pytest.raises(InputError, match="union"):
        live(tmp_path, LiveSettings(registration=Register(framing="union")), once=True)
    with pytest.raises(InputError, match="no such folder"):
        live(tmp_path / "absent", once=True)


def test_our_own_products_are_not_watched(tmp_path):
    put(tmp_path / "out" / "stacks", 0)
    put(tmp_path, 1)
    watch = Watch(tmp_path, tmp_path / "out", 0.0, 0.0)
    assert [path.name for path, _ in watch.look()] == ["light_001.fits"]
    assert watch.look() == []


def test_the_journal_keeps_the_last_state(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.note("a", "set aside", reason="cut short")
    journal.note("b", "stacked")
    journal.note("a", "stacked")
    again = Journal(tmp_path / "journal.jsonl")
    assert again.counts() == {"stacked": 2}
    assert json.loads((tmp_path / "journal.jsonl").read_text().splitlines()[0])["reason"] == "cut short"
