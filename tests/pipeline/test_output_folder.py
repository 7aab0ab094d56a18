"""Products do not go among the frames."""

from __future__ import annotations

import pytest

from firstlight.cli.main import run
from firstlight.errors import InputError
from firstlight.pipeline.output_folder import outside
from firstlight.simulate.night import preset, simulate


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("among") / "night"
    counts = {"n_lights": 2, "n_darks": 1, "n_bias": 1, "n_flats": 1}
    simulate(folder, preset("tiny").model_copy(update=counts))
    return folder


@pytest.mark.parametrize("command", ["process", "plan", "live --once", "quality"])
@pytest.mark.parametrize("where", [".", "Lights", ".."])
def test_a_folder_of_frames_is_refused(night, command, where, capsys, monkeypatch):
    # "no image files in it", or masters and a report among the lights, and none of them stacked.
    if command == "plan":
        command = "process --dry-run"
    monkeypatch.chdir(night)
    before = sorted(night.rglob("*"))
    name, *options = command.split()
    assert run([name, ".", "-o", where, "-q", *options]) == 2
    assert "this folder holds frames, such as" in capsys.readouterr().err
    assert sorted(night.rglob("*")) == before


def test_products_of_an_earlier_run_are_passed_over(tmp_path):
    frame, product = tmp_path / "a.fits", tmp_path / "out" / "stacks" / "b.fits"
    assert outside([frame], tmp_path / "out") == [frame]
    with pytest.raises(InputError, match=r"such as b\.fits"):
        outside([frame, product], tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text("{}")
    assert outside([frame, product], tmp_path / "out") == [frame]
    with pytest.raises(InputError, match=r"such as b\.fits"):
        outside([product], tmp_path / "out")
