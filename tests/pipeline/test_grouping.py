"""Many stacks of one field, judged by the times and frames that went into them."""

import csv
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from firstlight.errors import SpecError
from firstlight.io.fits_scan import FitsBytes
from firstlight.io.read import read
from firstlight.pipeline.describe import describe_plan
from firstlight.pipeline.grouping import Grouping, cut
from firstlight.pipeline.plan import plan
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Output, Settings
from firstlight.simulate.night import load_truth, preset, simulate

NO_PICTURES = Output(pictures=False)


def starts(*minutes):
    return [datetime(2026, 1, 17, 22, tzinfo=UTC) + timedelta(minutes=m) for m in minutes]


def lengths(times, **how):
    return [s.stop - s.start for s in cut(times, Grouping(**how))]


def test_no_frame_is_lost_or_doubled():
    times = starts(*range(23))
    for how in ({"frames": 5}, {"stacks": 4}, {"minutes": 6.5}, {"stacks": 40}, {"frames": 100}):
        runs = cut(times, Grouping(**how))
        assert [i for run in runs for i in range(run.start, run.stop)] == list(range(23))
    assert lengths(times, frames=5) == [5, 5, 5, 5, 3]
    assert sorted(lengths(times, stacks=4)) == [5, 6, 6, 6]
    assert lengths(times, stacks=40) == [1] * 23
    assert lengths(times, minutes=6.5) == [7, 7, 7, 2]
    assert cut([], Grouping(stacks=3)) == []


def test_a_gap_begins_a_new_span():
    assert lengths(starts(0, 1, 2, 30, 31, 33.9, 34), minutes=4) == [3, 3, 1]


def test_ways_exclude_one_another():
    with pytest.raises(ValueError, match="exclude one another"):
        Grouping(frames=3, minutes=2.0)


def test_the_command_line_says_so():
    from firstlight.cli.settings import settings_from

    with pytest.raises(SpecError, match="exclude one another"):
        settings_from({"set__group__frames": 3, "set__group__stacks": 2})


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night") / "many"
    tiny = preset("tiny")
    simulate(folder, tiny.model_copy(update={"n_lights": 12, "filters": ("L", "R"), "trails": 0.0}))
    # One light has lost its date; names say nothing of the time.
    lights = sorted((folder / "Lights").rglob("*.fit*"))
    undated = lights[4]
    content = undated.read_bytes()
    head = content[: FitsBytes(undated).size]
    for word in (b"DATE-OBS= '", b"DATE-BEG= '", b"DATE-AVG= '", b"DATE-END= '", b"DATE-LOC= '"):
        place = head.find(word)
        if place >= 0:
            content = content[: place + len(word)] + b"not a date" + content[place + len(word) + 10 :]
    undated.write_bytes(content)
    return folder, undated.name


@pytest.fixture(scope="module")
def result(night, tmp_path_factory):
    settings = Settings(group=Grouping(frames=4), output=NO_PICTURES)
    return process(night[0], settings, output=tmp_path_factory.mktemp("out") / "run")


def test_frames_of_each_stack_are_consecutive_and_of_one_filter(night, result):
    by_filter = {}
    for stack in result.stacks:
        metas = [p.light.frame.meta for p in stack.prepared.placed]
        assert {m.filter for m in metas} == {stack.prepared.group.filter}
        by_filter.setdefault(stack.prepared.group.filter, []).append(sorted(m.start for m in metas))
        assert stack.n_frames <= 4
    assert set(by_filter) == {"L", "R"}
    for times in by_filter.values():
        joined = [t for part in times for t in part]
        assert joined == sorted(joined)
        assert all(len(part) == 4 for part in times[:-1])
    lights = sum(len(group.assignments) for group in result.plan.groups)
    assert sum(s.n_frames for s in result.stacks) + len(result.set_aside) == lights


def test_a_light_without_a_time_is_set_aside_with_the_reason(night, result):
    reasons = {path.rpartition("/")[2]: reason for path, reason in result.set_aside.items()}
    assert "DATE-OBS" in reasons[night[1]]


def test_names_are_numbered_and_the_times_are_those_of_the_frames(result):
    for stack in result.stacks:
        assert stack.name.startswith(stack.prepared.group.part_of + "_00")
        meta = read(stack.files[0]).meta
        weights = np.array([c.weight for c in stack.engine.contributions])
        middles = np.array([c.frame.meta.mid_time.timestamp() for c in stack.engine.contributions])
        assert abs(meta.mid_time.timestamp() - np.sum(weights * middles) / weights.sum()) < 0.01
        assert meta.n_combined == stack.n_frames
        assert meta.exposure == 60 * stack.n_frames
        assert meta.start == min(c.frame.meta.start for c in stack.engine.contributions)


def test_all_stacks_of_a_field_lie_on_one_another(night, result):
    truth = load_truth(night[0])
    references = {stack.prepared.reference.frame.path for stack in result.stacks}
    assert len(references) == 1
    reference = truth[references.pop()]
    positions = truth.star_positions(reference)
    for stack in result.stacks:
        image = stack.image
        bright = truth.stars["flux_L"].reshape(len(positions), -1)[:, 0].argsort()[::-1][:15]
        found = 0
        for x, y in positions[bright]:
            if not (12 < x < image.shape[2] - 13 and 12 < y < image.shape[1] - 13):
                continue
            box = image.data[0, round(y) - 6 : round(y) + 7, round(x) - 6 : round(x) + 7]
            peak = np.unravel_index(box.argmax(), box.shape)
            found += abs(peak[0] - 6) <= 1 and abs(peak[1] - 6) <= 1
        assert found >= 6


def test_the_table_names_the_stack_of_every_light(result):
    with open(result.output / "frames.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "light"]
    names = [row["stack"] for row in rows if row["accepted"] == "1"]
    for stack in result.stacks:
        assert names.count(stack.name) == stack.n_frames
    assert all(row["reason"] for row in rows if row["accepted"] == "0")


def test_the_plan_says_how_many(night, tmp_path):
    text = describe_plan(plan(night[0], Settings(group=Grouping(stacks=3))))
    assert "in 3 stacks" in text


def test_without_stacks_the_run_ends_registered_and_selected(night, tmp_path):
    result = process(night[0], Settings(output=Output(stacks=False)), output=tmp_path / "run")
    assert not result.stacks
    assert not (tmp_path / "run" / "stacks").exists()
    with open(result.output / "frames.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "light" and row["accepted"] == "1"]
    assert len(rows) >= 20
    assert all(row["m00"] and row["fwhm"] and row["stars"] for row in rows)


def test_no_stack_on_the_command_line(night, tmp_path, capsys):
    from firstlight.cli.main import run

    assert run(["process", str(night[0]), "-o", str(tmp_path / "run"), "--no-stack", "--first", "5", "-q"]) == 0
    assert "no stacks were asked for" in capsys.readouterr().out
