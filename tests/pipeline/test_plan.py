import struct
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from firstlight import read
from firstlight.errors import InputError
from firstlight.library.plans import Assignment
from firstlight.pipeline.plan import group_lights, plan
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Output, Settings
from memory_frame import memory_frame

START = datetime(2024, 3, 1, 20, tzinfo=UTC)


def lights(n, **meta):
    meta = {"target": "M 42", "filter": "L", "exposure": 60.0, **meta}
    return [
        Assignment(memory_frame(f"{meta['filter']}_{meta['exposure']}_{i}", start=START + timedelta(minutes=i), **meta))
        for i in range(n)
    ]


def test_targets_filters_and_exposures_are_never_mixed():
    groups = group_lights(
        [*lights(3), *lights(2, filter="Ha"), *lights(4, exposure=10.0), *lights(1, target="M 31")], "x"
    )
    assert sorted((g.name, len(g.assignments)) for g in groups) == [
        ("M_31_L_60s", 1), ("M_42_Ha_60s", 2), ("M_42_L_10s", 4), ("M_42_L_60s", 3),
    ]  # fmt: skip


def test_gains_are_not_mixed_unasked():
    groups = group_lights([*lights(3, gain_setting=100.0), *lights(2, gain_setting=300.0)], "x")
    assert sorted((g.name, len(g.assignments)) for g in groups) == [
        ("M_42_L_60s_gain100", 3),
        ("M_42_L_60s_gain300", 2),
    ]


def test_exposures_and_gains_are_mixed_on_request():
    session = [
        *lights(3, gain_setting=0.0),
        *lights(2, gain_setting=100.0),
        *lights(4, exposure=10.0, gain_setting=0.0),
    ]
    by_exposure = group_lights(session, "x", mix="exposure")
    assert sorted((g.name, g.exposure, len(g.assignments)) for g in by_exposure) == [
        ("M_42_L_10-60s", None, 7), ("M_42_L_60s", 60.0, 2),
    ]  # fmt: skip
    by_gain = group_lights(session, "x", mix="gain")
    assert sorted((g.name, len(g.assignments)) for g in by_gain) == [("M_42_L_10s", 4), ("M_42_L_60s", 5)]
    assert [(g.name, len(g.assignments)) for g in group_lights(session, "x", mix="both")] == [("M_42_L_10-60s", 9)]


def test_jitter_of_the_clock_does_not_split_a_group():
    groups = group_lights([*lights(2), *lights(2, exposure=60.04)], "x")
    assert len(groups) == 1


def test_without_a_target_the_session_gives_its_name():
    (group,) = group_lights(lights(2, target=None), "2024-03-01 Orion")
    assert group.name == "2024-03-01_Orion_L_60s"


def test_names_are_unique():
    small = [Assignment(memory_frame("s", target="M 42", filter="L", exposure=60.0, binning=(2, 2)))]
    groups = group_lights([*lights(2), *small], "x")
    assert len({g.name for g in groups}) == 2


def test_first_limits_each_group_in_order_of_time():
    (group,) = group_lights(lights(5)[::-1], "x", first=2)
    assert [a.light.path.name for a in group.assignments] == ["L_60.0_0", "L_60.0_1"]


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        plan(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no image files"):
        plan(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_exposure_of_a_series_is_a_light_of_its_own(tmp_path):
    # All were once known by the path of their file: the last one was stacked eight times.
    n, height, width = 8, 100, 120
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:height, :width]
    sky = np.full((height, width), 500.0)
    for cx, cy, peak in zip(rng.uniform(9, 111, 24), rng.uniform(9, 91, 24), rng.uniform(400, 4000, 24)):
        sky += peak * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 1.4**2))
    pixels = (sky + rng.normal(0, 12, (n, height, width))).astype("<u2")
    head = struct.pack("<14s7i40s40s40s2q", b"LUCAM-RECORDER", 0, 0, 0, width, height, 16, n, b"", b"Cam", b"", 0, 0)
    (tmp_path / "night").mkdir()
    (tmp_path / "night" / "a.ser").write_bytes(head + pixels.tobytes())
    result = process(tmp_path / "night", Settings(library="none", output=Output(pictures=False)))
    (stack,) = (read(path) for path in (result.output / "stacks").iterdir())
    rows = (result.output / "frames.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [row.partition(",")[0] for row in rows] == [f"a.ser#{number:04d}" for number in range(1, n + 1)]
    away = sky < 505
    assert np.std(stack.data[0][away]) < 1.3 * 12 / np.sqrt(n)
