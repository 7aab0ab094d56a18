"""The quality filter on nights with planted faults."""

from collections import Counter

import numpy as np
import pytest

from firstlight.errors import InputError, SpecError
from firstlight.pipeline.quality import QualitySettings, judge_session, write_quality
from firstlight.pipeline.runs import find_runs
from firstlight.simulate.night import simulate
from firstlight.simulate.settings import Camera, preset

AS = {"moon": "bright_sky"}
"""Planted fault to what it is called."""


def night(folder, n_lights, faults, **changes):
    small = preset("tiny").model_copy(
        update={
            "n_lights": n_lights, "n_bias": 4, "n_darks": 4, "n_flats": 4, "trails": 0.0, "faults": faults,
            "camera": Camera(width=480, height=360), **changes,
        }
    )  # fmt: skip
    return simulate(folder, small)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "night"
    truth = night(folder, 9, ("clouds@4", "focus@7:1.7"))
    return folder, truth


def test_a_small_session_is_judged_and_written(small, tmp_path):
    folder, _ = small
    result = judge_session([folder], QualitySettings(streaks=False), output=tmp_path)
    assert [bool(f.reason) for f in result.frames] == [False] * 3 + [True] + [False] * 2 + [True] + [False] * 2
    assert result.frames[3].reason.startswith("clouds: stars")
    assert result.frames[6].reason.startswith("focus: stars")
    files = {path.name: path for path in write_quality(result, tmp_path / "out")}
    assert sorted(files) == ["kept.txt", "quality.csv", "quality.ecsv", "set_aside.txt"]
    assert len(files["kept.txt"].read_text().splitlines()) == 7
    judge_session([folder], QualitySettings(streaks=False), output=tmp_path / "out")
    assert find_runs(tmp_path / "out") == []
    assert "light_L_60s_0004" in files["set_aside.txt"].read_text()
    from astropy.table import Table

    table = Table.read(files["quality.ecsv"])
    assert table["kept"].tolist() == [not f.reason for f in result.frames]
    assert np.all(table["fwhm"] > 1)


def test_files_are_judged_as_they_lie_and_formulas_and_shares_choose(small):
    folder, _ = small
    files = sorted((folder / "Lights").glob("*.fits"))
    where = "transparency > 0.8 and fwhm < 1.2*median(fwhm)"
    result = judge_session(files, QualitySettings(where=where, keep_faulty=True, streaks=False))
    aside = [f.seen.name[-9:-5] for f in result.frames if f.reason]
    assert aside == ["0004", "0007"]
    assert all(f.reason.startswith("not transparency") for f in result.frames if f.reason)
    best = judge_session(files, QualitySettings(best=50, streaks=False))
    assert sum(not f.reason for f in best.frames) == 5


def test_refusals(tmp_path):
    with pytest.raises(SpecError, match="70 keeps 70 %"):
        QualitySettings(best=0.7)
    with pytest.raises(SpecError, match="unknown metric 'fwmh'; did you mean fwhm"):
        QualitySettings(where="fwmh < 3")
    with pytest.raises(InputError, match="no image files"):
        judge_session([tmp_path])


PLANTED = (
    "clouds@5-7", "wind@10-12:1.9", "focus@15-17", "satellite@20", "satellite@22", "plane@24", "plane@26",
    "dew@29-33", "moon@37-40",
)  # fmt: skip


@pytest.mark.slow
def test_recall_and_false_alarms_of_planted_faults(tmp_path, capsys):
    """The table that the page on quality shows; printed with -s."""
    right, planted, alarms, clean = Counter(), Counter(), Counter(), 0
    for seed in (1, 2):
        truth = night(tmp_path / f"night{seed}", 44, PLANTED, seed=seed)
        result = judge_session([tmp_path / f"night{seed}"], QualitySettings())
        assert len(result.frames) == 44
        for frame in result.frames:
            true = {AS.get(kind, kind) for kind in truth[frame.seen.name].fault.split()}
            said = {fault.kind for fault in frame.faults}
            planted.update(true)
            right.update(true & said)
            alarms.update(said - true)
            clean += not true
    with capsys.disabled():
        for kind in sorted(planted):
            print(f"\n{kind:12} planted {planted[kind]:3}  found {right[kind]:3}  false {alarms[kind]:3}", end="")
        print(f"\nof {clean} frames without a fault")
    assert sum(right.values()) >= 0.9 * sum(planted.values())
    for kind, n in planted.items():
        assert right[kind] >= 0.75 * n, kind
    assert sum(alarms.values()) <= 0.06 * 88
