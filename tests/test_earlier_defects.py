"""Faults of five earlier programs that may not come back: each has a guard; those that belong nowhere else are here."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from firstlight import read, write
from firstlight.cli.main import run
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Kind, Meta
from firstlight.ops.inspect.bad_lines import find_bad_lines
from firstlight.ops.inspect.stars import find_stars
from firstlight.ops.spec import parse_step
from star_field import expose, light_of, scattered

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent

GUARDS = dict(
    line.split(" | ")
    for line in (TESTS / "golden" / "earlier_defects.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)


@pytest.mark.parametrize("fault", GUARDS)
def test_the_guard_is_there(fault):
    name, _, test = GUARDS[fault].partition("::")
    tree = ast.parse((TESTS / name).read_text(encoding="utf-8"))
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_constant_columns_are_no_bad_columns():
    level = np.full((300, 200), 1000.0)
    assert find_bad_lines(level) == []
    level[:, 70] += 50
    assert [(line.axis, line.index) for line in find_bad_lines(level)] == [("column", 70)]


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "i4", "f4", "f8"])
def test_a_pedestal_and_its_negative_are_nothing(tmp_path, kind):
    from astropy.io import fits

    values = (np.arange(48) % 90).reshape(6, 8).astype(kind)
    fits.PrimaryHDU(values).writeto(tmp_path / "a.fits")
    image = read(tmp_path / "a.fits")
    lower = parse_step("cal:pedestal:level=-100")(image)
    assert lower.data.min() == -100
    np.testing.assert_array_equal(parse_step("cal:pedestal:level=100")(lower).data[0], values)


@pytest.fixture(scope="module")
def field():
    rng = np.random.default_rng(7)
    x, y = scattered(rng, 40, (300, 400))
    light = light_of((300, 400), x, y, rng.uniform(8e3, 6e4, 40))
    return light, x, y


def test_stars_do_not_depend_on_the_unit(field):
    plane = expose(field[0], np.random.default_rng(1)).astype(np.float32)
    many, few = (find_stars(plane * factor)[0] for factor in (np.float32(1), np.float32(1 / 65535)))
    assert len(many.x) == len(few.x) == 40
    np.testing.assert_allclose(few.x, many.x, atol=1e-3)
    np.testing.assert_allclose(few.flux * 65535, many.flux, rtol=1e-3)


def test_dark_corners_hold_no_stars(field):
    y, x = np.mgrid[:300, :400]
    shade = 1 - 0.8 * ((x - 200) ** 2 + (y - 150) ** 2) / 250**2
    plane = expose((field[0] + 200) * shade, np.random.default_rng(2), sky=0).astype(np.float32)
    stars = find_stars(plane)[0]
    apart = np.hypot(stars.x[:, None] - field[1], stars.y[:, None] - field[2]).min(axis=1)
    assert (apart > 3).sum() <= 1
    assert len(stars.x) >= 36


@pytest.mark.parametrize("turned", [False, True])
def test_the_background_of_a_strip_is_found_either_way(turned):
    from firstlight.ops.inspect.background import measure_background

    _, x = np.mgrid[:40, :1200]
    plane = (1000 + 0.1 * x + np.random.default_rng(3).normal(0, 5, x.shape)).astype(np.float32)
    truth = 1000 + 0.1 * x
    background = measure_background(plane.T.copy() if turned else plane).at()
    assert np.abs((background.T if turned else background) - truth).max() < 3


def test_a_clean_frame_has_no_cosmic_rays_and_that_is_no_error(tmp_path, capsys):
    plane = np.random.default_rng(4).normal(1000, 10, (120, 150)).astype(np.float32)
    write(tmp_path / "a.fits", Image(plane, meta=Meta(kind=Kind.LIGHT, gain=10.0, read_noise=5.0)))
    assert run(["cal:cosmicrays", str(tmp_path / "a.fits"), str(tmp_path / "b.fits")]) == 0
    after = read(tmp_path / "b.fits")
    assert not (after.flags & Flag.COSMIC_RAY).any()
    np.testing.assert_array_equal(after.data[0], plane)


def test_bad_pixels_are_mended_in_no_time():
    rng = np.random.default_rng(5)
    side = 1600
    flags = np.where(rng.random((side, side)) < 0.01, np.uint16(Flag.HOT), np.uint16(0))
    image = Image(rng.normal(1000, 10, (side, side)).astype(np.float32), flags)
    repair = parse_step("cal:repair")
    repair(image)
    began = time.process_time()
    repair(image)
    # 2.6 Mpx in 0.1 s here; a loop in Python takes half a minute.
    assert time.process_time() - began < 5


@pytest.mark.parametrize(("binning", "factor"), [((1, 1), 2), ((2, 2), 2), ((2, 2), 3)])
def test_binning_multiplies_and_needs_no_keyword(binning, factor):
    small = parse_step(f"bin:mean:factor={factor}")(Image(np.ones((12, 12)), meta=Meta(binning=binning)))
    assert small.meta.binning == (binning[0] * factor, binning[1] * factor)
    assert small.meta.pixel_size is None


def test_the_mjd_in_a_name_is_that_of_the_middle():
    from datetime import UTC, datetime

    from firstlight.pipeline.step_export import MJD_OF_UNIX

    # 2000-01-01 12:00 UTC is JD 2451545.0, MJD 51544.5.
    assert datetime(2000, 1, 1, 12, tzinfo=UTC).timestamp() / 86400 + MJD_OF_UNIX == 51544.5


def test_no_target_stands_in_the_code():
    words = ("NGC", "M31", "M 31", "iTelescope T", "Siding Spring")
    # As defaults: examples in docstrings, help and messages are welcome.
    values: list[tuple[Path, ast.expr]] = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                values += [(path, default) for default in node.args.defaults]
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                values.append((path, node.value))
    offences = [
        f"{path.name}:{value.lineno}: {value.value}"
        for path, value in values
        if isinstance(value, ast.Constant) and any(word in str(value.value) for word in words)
    ]
    assert offences == []


def test_no_other_program_is_needed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert run(["simulate", str(tmp_path / "night"), "--preset", "tiny", "--set", "n_lights=3", "-q"]) == 0
    assert run(["process", str(tmp_path / "night"), "-o", str(tmp_path / "out"), "--library", "none", "-q"]) == 0
    assert len(list((tmp_path / "out" / "stacks").iterdir())) == 1


def test_names_with_blanks_quotes_and_semicolons(tmp_path, capsys):
    folder = tmp_path / "my 'best' night; echo $HOME"
    assert run(["simulate", str(tmp_path / "plain"), "--preset", "tiny", "--set", "n_lights=3", "-q"]) == 0
    shutil.move(tmp_path / "plain", folder)
    light = next((folder / "Lights").glob("*.fits"))
    light.rename(light.with_name('first "light"; rm -rf.fits'))
    out = tmp_path / "out & more"
    assert run(["process", str(folder), "-o", str(out), "--library", "none", "-q", "--json"]) == 0
    assert "3 of 3" in capsys.readouterr().out or len(list((out / "stacks").iterdir())) == 1
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert any("rm -rf" in str(entry) for entry in record["inputs"])


def test_one_package_is_installed_and_no_module_of_packaging_is_used():
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["src/firstlight"]
    assert [path.name for path in (ROOT / "src").iterdir() if not path.name.startswith((".", "_"))] == ["firstlight"]
    code = "import sys, firstlight.pipeline.process; print({'pkg_resources', 'imp'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"
