"""A library of twelve cameras and settings with traps: every decision is right, and every one is explained."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from calibration_frames import SHAPE, write_frames
from firstlight.library.assign import Chooser
from firstlight.library.build import build_master
from firstlight.library.plans import Rules
from firstlight.library.store import Library
from firstlight.pipeline.calibration import compile_calibration
from firstlight.pipeline.describe import describe_plan
from firstlight.pipeline.executors import thread_pool
from firstlight.pipeline.library_build import BuildSettings, build_library
from firstlight.pipeline.plan import plan
from firstlight.pipeline.settings import Settings

MODE = "Photographic DSO"
BASE = {"READOUTM": MODE, "CAMSER": "A1", "TELESCOP": "RC8", "FOCALLEN": 1600.0}
SBIG = {"INSTRUME": "SBIG STL-1001", "GAIN": None, "OFFSET": None, "READOUTM": None, "CAMSER": None}
CAMERAS: dict[str, dict] = {
    "plain": {},
    "other offset": {"OFFSET": 30},
    "other mode": {"READOUTM": "High Gain"},
    "other serial": {"CAMSER": "B2"},
    "other gain": {"GAIN": 56},
    "binned": {"XBINNING": 2, "YBINNING": 2},
    "sub-frame": {"XORGSUBF": 64, "YORGSUBF": 0},
    "swapped": {"shape": SHAPE[::-1]},
    "colour": {"INSTRUME": "ZWO ASI2600MC", "BAYERPAT": "RGGB"},
    "other colour": {"INSTRUME": "ZWO ASI2600MC", "BAYERPAT": "GBRG"},
    "observatory": {**SBIG, "EGAIN": 2.06},
    "other e-/adu": {**SBIG, "EGAIN": 1.45},
}
BIAS_FREE = ("other mode", "binned")
"""Cameras that have darks without their bias only."""


class Night:
    """Files by what they are, in one folder with names that say nothing."""

    def __init__(self, folder):
        self.folder, self.tags, self.n = folder, {}, 0

    def add(self, camera, role, kind, n, **cards):
        shape = CAMERAS[camera].get("shape", SHAPE)
        own = {k: v for k, v in CAMERAS[camera].items() if k != "shape"}
        for _ in range(n):
            self.n += 1
            target = self.folder / ("lights" if kind == "light" else "calibration")
            (path,) = write_frames(target / str(self.n), kind, 1, seed=self.n, shape=shape, **{**BASE, **own, **cards})
            renamed = target / f"img{self.n:05d}.fits"
            path.rename(renamed)
            path.parent.rmdir()
            self.tags[str(renamed)] = (camera, role)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    made = Night(tmp_path_factory.mktemp("traps"))
    for i, camera in enumerate(CAMERAS):
        level = 400 + 20 * i
        lacks_bias = camera in BIAS_FREE
        made.add(camera, "bias", "bias", 4, level=level)
        if lacks_bias:
            made.add(camera, "dark 60 without bias", "dark", 4, level=60, EXPTIME=60.0, CALSTAT="B")
        else:
            made.add(camera, "dark 60", "dark", 4, level=level + 6, EXPTIME=60.0)
        made.add(camera, "dark 120", "dark", 4, level=level + 12, EXPTIME=120.0)
        made.add(camera, "warm dark 60", "dark", 4, level=level + 30, EXPTIME=60.0, **{"SET-TEMP": 10.0})
        made.add(camera, "spent dark 60", "dark", 3, level=30, EXPTIME=60.0, CALSTAT="BD")
        for name in "RB":
            made.add(camera, f"flat {name}", "flat", 4, level=20000, noise=60, EXPTIME=2.0, FILTER=name, days=-3)
        made.add(camera, "flat R, other tube", "flat", 4, level=20000, noise=60, EXPTIME=2.0, FILTER="R",
                 TELESCOP="Epsilon 180", FOCALLEN=500.0)  # fmt: skip
        made.add(camera, "flat R, flattened", "flat", 3, level=20000, noise=60, EXPTIME=2.0, FILTER="R", CALSTAT="BF")
        lights = {"OBJECT": "M 1", "FILTER": "R", "EXPTIME": 60.0, "level": level + 100}
        made.add(camera, "light", "light", 1, **lights)
        made.add(camera, "light 120 B", "light", 1, **{**lights, "EXPTIME": 120.0, "FILTER": "B"})
        made.add(camera, "light 45", "light", 1, **{**lights, "EXPTIME": 45.0})
        made.add(camera, "light 60.05", "light", 1, **{**lights, "EXPTIME": 60.05})
        made.add(camera, "light in G", "light", 1, **{**lights, "FILTER": "G"})
        made.add(camera, "light done", "light", 1, **{**lights, "CALSTAT": "BD"})
    return made


@pytest.fixture(scope="module")
def library(night):
    made = Library(night.folder / "library")
    result = build_library(made, [night.folder / "calibration"], BuildSettings(threads=2, memory=200))
    assert (result.failed, result.refused, result.set_aside) == ([], [], {})
    assert len(result.skipped) == 2 * len(CAMERAS)
    assert {words.partition(": ")[2] for _, words in result.skipped} == {
        "its dark is subtracted: nothing is left in it", "it was divided by a flat itself",
    }  # fmt: skip
    return made


def wanted(camera, role):
    dark60 = "dark 60 without bias" if camera in BIAS_FREE else "dark 60"
    with_bias = "bias" if camera in BIAS_FREE else None
    return {
        "light": (with_bias, dark60, "flat R"),
        "light 60.05": (with_bias, dark60, "flat R"),
        "light 120 B": (None, "dark 120", "flat B"),
        "light 45": ("bias", None, "flat R"),
        "light in G": (with_bias, dark60, None),
        "light done": (None, None, "flat R"),
    }[role]


def test_no_master_mixes_two_settings(night, library):
    entries = library.entries()
    for entry in entries:
        assert len({night.tags[i["file"]] for i in entry.inputs.values()}) == 1, entry.name
    counts = Counter(night.tags[next(iter(e.inputs.values()))["file"]] for e in entries)
    assert set(counts.values()) == {1}
    assert len(entries) == 7 * len(CAMERAS)


def test_every_light_gets_what_is_its_own_and_the_plan_says_why(night, library):
    planned = plan(night.folder / "lights", Settings(library=str(library.path)))
    tag_of = {e.frame.path: night.tags[next(iter(e.inputs.values()))["file"]] for e in library.entries() if e.inputs}
    wrong, decisions = [], 0
    for a in planned.calibrations.assignments:
        camera, role = night.tags[str(a.light.path)]
        given = tuple(None if m is None else tag_of[m.like.path] for m in (a.bias, a.dark, a.flat))
        right = tuple(None if r is None else (camera, r) for r in wanted(camera, role))
        decisions += 3
        if given != right:
            wrong.append((camera, role, given, right))
        text = " / ".join(a.reasons)
        assert {r.partition(":")[0] for r in a.reasons} >= {"dark", "bias", "flat"}, text
        if role == "light 45":
            assert "exposure 60 s against 45 s" in text
        if role == "light in G":
            assert "against G" in text
        if role == "light done":
            assert "already subtracted, the header says" in text
    assert wrong == []
    assert decisions == 3 * 6 * len(CAMERAS)
    text = describe_plan(planned)
    assert f"Darkless: {len(CAMERAS)}" in text or text.count("Darkless:") >= 1
    assert "take 10 or more darks of 45 s at -10 C, gain 26, offset 30, readout mode Photographic DSO" in text
    assert "take 8 or more flats in G, gain 56" in text


def test_flats_lost_the_bias_of_their_own_camera(night, library):
    tag_of = {e.frame.path.name: night.tags[next(iter(e.inputs.values()))["file"]] for e in library.entries()}
    for entry in library.entries():
        if entry.kind == "flat" and entry.record["subtracted"]:
            camera, _ = night.tags[next(iter(entry.inputs.values()))["file"]]
            assert tag_of[entry.record["subtracted"]] == (camera, "bias")


def test_without_the_right_master_there_is_none_rather_than_a_wrong_one(night, library):
    """Of each camera in turn the masters are taken away: none of the other eleven steps in."""
    planned = plan(night.folder / "lights", Settings(library=str(library.path)))
    shelf = planned.calibrations.shelf
    tag_of = {e.frame.path: night.tags[next(iter(e.inputs.values()))["file"]][0] for e in library.entries()}
    for a in planned.calibrations.assignments:
        camera, _ = night.tags[str(a.light.path)]
        others = Chooser([m for m in shelf if tag_of[m.like.path] != camera], Rules())
        assert others.assign(a.light).masters == (), (camera, others.assign(a.light).reasons)
        reasons = " ".join(others.assign(a.light).reasons)
        assert "none fits" in reasons


def test_darkened_pixels_come_out_right(night, library):
    """End to end: a light whose dark has lost its bias loses both, one whose dark holds it loses it once."""
    planned = plan(night.folder / "lights", Settings(library=str(library.path)))
    with thread_pool(1) as pool:
        for a in planned.calibrations.assignments:
            camera, role = night.tags[str(a.light.path)]
            if role != "light" or CAMERAS[camera].get("BAYERPAT"):
                continue
            compiled = compile_calibration(a, lambda m: build_master(m, None, pool, rows=64))
            band = compiled.band(a.light, 0, a.light.shape[1])
            expected = 100 - 60 if camera in BIAS_FREE else 100 - 6
            assert np.median(band.data) == pytest.approx(expected, abs=3), camera
