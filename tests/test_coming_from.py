"""Every line of docs/coming-from.md is run: the equivalents of the earlier programs' commands do what they say."""

import hashlib
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from camera_dng import camera_dng
from firstlight.cli.main import run
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Output, Settings
from firstlight.simulate.night import preset, simulate

PAGE = Path(__file__).resolve().parent.parent / "docs" / "coming-from.md"
ROW = re.compile(r"^\| (.+?) \| `(firstlight .*?)` \| ?(.*?) ?\|$", re.MULTILINE)
ROWS = [(m[1], m[2], "*help*" in m[3]) for m in ROW.finditer(PAGE.read_text(encoding="utf-8"))]
FILTERS = ("L", "R", "G", "B", "Ha")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The folder that the page speaks of."""
    folder = tmp_path_factory.mktemp("coming")
    small = {"n_lights": 3, "n_darks": 3, "n_bias": 3, "n_flats": 3}
    simulate(folder / "night", preset("tiny").model_copy(update={**small, "filters": ("L", "R")}))
    simulate(folder / "filters", preset("tiny").model_copy(update={**small, "n_lights": 2, "filters": FILTERS}))
    settings = Settings(library="none", output=Output(pictures=False))
    process(folder / "night", settings, output=folder / "out")
    process(folder / "filters", settings, output=folder / "made")
    for name in FILTERS:
        shutil.copy(folder / "made" / "stacks" / f"Tiny_field_{name}_60s.fits", folder / f"{name}.fits")
    shutil.rmtree(folder / "filters")
    shutil.rmtree(folder / "made")
    for kind in ("bias", "dark", "flat_L"):
        master = next((folder / "out" / "masters").glob(f"master_{kind}*.fits"))
        shutil.copy(master, folder / f"master_{kind.partition('_')[0]}.fits")
    for number in (1, 2):
        shutil.copy(folder / "night" / "Bias" / f"bias_000{number}.fits", folder / f"bias{number}.fits")
    shutil.copy(next((folder / "night" / "Lights").glob("light_L_*1.fits")), folder / "light.fits")
    rng = np.random.default_rng(3)
    camera_dng(folder / "raw.dng", rng.normal(1500, 60, (400, 600)).clip(0, 4095).astype(np.uint16))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["combine", "rgb.fits", "R.fits", "G.fits", "B.fits", "--align", "none"]) == 0
    # A library is there before the first line that wants one.
    (folder / "lib").mkdir()
    return folder


def contents(folder):
    """Hashes of what no command may change: the frames, and the images beside them."""
    files = [path for path in folder.glob("*.*") if not path.name.startswith(("out", "master.fits"))]
    files += [path for path in (folder / "night").rglob("*.fits") if "firstlight" not in path.parts]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()}


def test_the_page_has_the_commands_of_all_five():
    sections = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sections == ["cvastrophoto", "AstroPhotography", "imgproc", "astro_reduce", "Prefect pipeline"]
    rows = [
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ") and "firstlight" in line
    ]
    heads = [line for line in rows if re.match(r"^\| [\w ]+ \| firstlight \| \|$", line)]
    assert len(ROWS) == len(rows) - len(heads)
    assert len(ROWS) > 150


@pytest.mark.slow
@pytest.mark.parametrize(("old", "line", "only_help"), ROWS, ids=[f"{k}: {old}" for k, (old, _, _) in enumerate(ROWS)])
def test_the_line_runs(old, line, only_help, prepared, monkeypatch, capsys):
    monkeypatch.chdir(prepared)
    # Stars that are made up have no place on the sky: the search for one would take its full time.
    monkeypatch.setattr("firstlight.pipeline.session.with_solved_plate", lambda name, image, *more: (image, []))
    arguments = shlex.split(line)[1:]
    if only_help:
        assert arguments[-1] == "--help"
    for path in [Path("out.fits"), Path("out.png"), Path("out.tif"), *Path().glob("out_*.png"), Path("master.fits")]:
        path.unlink(missing_ok=True)
    for folder in ("live", "camera", "complete", "renamed"):
        shutil.rmtree(folder, ignore_errors=True)
    before = contents(prepared)
    code = run(arguments)
    shown = capsys.readouterr()
    assert code == 0, f"{line}\n{shown.out}\n{shown.err}"
    assert contents(prepared) == before, f"{line}\nan input was changed"
