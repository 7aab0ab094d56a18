"""Masters of a library and stacks of files, made again: the same bytes, or what is not as it was."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import firstlight as fl
from firstlight.cli.main import run
from firstlight.errors import InputError
from firstlight.library.store import Library
from firstlight.model.meta import Kind
from firstlight.ops.stack.rules import Combine
from firstlight.pipeline.library_build import BuildSettings, build_library
from firstlight.pipeline.reproduce import reproduce
from firstlight.simulate.night import preset, simulate


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduce")
    small = {"n_lights": 4, "n_darks": 8, "n_bias": 5, "n_flats": 4}
    simulate(folder / "night", preset("tiny").model_copy(update=small))
    # Of another night: not like its set, so that it is left out of the master.
    odd = fl.read(folder / "night" / "Darks" / "dark_60s_0004.fits")
    fl.write(folder / "night" / "Darks" / "dark_60s_0004.fits", odd.replace(data=odd.data + np.float32(400)))
    return folder


def masters(library):
    return sorted(Path(library).rglob("master_*.fits"))


@pytest.mark.parametrize(
    "settings", [BuildSettings(), BuildSettings(superbias=True, stack=Combine(method="median"))], ids=["plain", "other"]
)
def test_every_master_of_a_library_is_made_again(night, tmp_path, settings):
    build_library(Library(tmp_path / "lib"), [night / "night"], settings)
    made = masters(tmp_path / "lib")
    assert len(made) == 3
    for path in made:
        outcome = reproduce(path)
        assert outcome.same, outcome.words()
        assert outcome.causes == []


def test_a_master_after_another_keeps_its_verdict(night, tmp_path):
    """The second build compares with the first; what it found is no property of the frames."""
    first, second = tmp_path / "a", tmp_path / "b"
    shutil.copytree(night / "night" / "Bias", first)
    simulate(
        tmp_path / "later", preset("tiny").model_copy(update={"n_lights": 0, "n_darks": 0, "n_flats": 0, "seed": 3})
    )
    shutil.copytree(tmp_path / "later" / "Bias", second)
    for folder in (first, second):
        build_library(Library(tmp_path / "lib"), [folder], BuildSettings(accept=True))
    for path in masters(tmp_path / "lib"):
        assert reproduce(path).same


def test_a_frame_that_is_gone_or_changed_is_named(night, tmp_path):
    shutil.copytree(night / "night" / "Bias", tmp_path / "Bias")
    build_library(Library(tmp_path / "lib"), [tmp_path / "Bias"])
    (path,) = masters(tmp_path / "lib")
    changed = tmp_path / "Bias" / "bias_0002.fits"
    shutil.copy(tmp_path / "Bias" / "bias_0003.fits", changed)
    outcome = reproduce(path)
    assert not outcome.same
    assert any("bias_0002.fits: has other content" in cause for cause in outcome.causes)
    changed.unlink()
    with pytest.raises(InputError, match=r"bias_0002\.fits: it is needed"):
        reproduce(path)


@pytest.mark.parametrize(
    "options",
    [[], ["--registration-method", "stars", "--stack-method", "winsorized"]],
    ids=["as they lie", "registered"],
)
def test_a_stack_of_files_is_made_again(night, tmp_path, monkeypatch, capsys, options):
    monkeypatch.chdir(night)
    target = tmp_path / "stack.fits"
    lights = [str(p.relative_to(night)) for p in sorted((night / "night" / "Lights").iterdir())]
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  = nothing")
    given = [*lights[::-1], str(tmp_path / "broken.fits")]
    assert run(["stack", *given, "-o", str(target), "-q", *options]) == 0, capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    outcome = reproduce(target)
    assert outcome.same, outcome.words()
    assert outcome.causes == []


def test_a_combination_is_made_again(night, tmp_path, monkeypatch, capsys):
    lights = [fl.read(path) for path in sorted((night / "night" / "Lights").iterdir())[:4]]
    for name, light in zip("LRGB", lights):
        fl.write(tmp_path / f"{name}.fits", light.replace(meta=light.meta.replace(filter=name, kind=Kind.STACK)))
    monkeypatch.chdir(tmp_path)
    lines = (
        "combine rgb.fits G.fits B.fits R.fits --reference L.fits --color-steps color:neutralize",
        "combine lrgb.fits L.fits rgb.fits --mode lrgb --args fit=true --align none --framing common",
        "combine look.png R.fits G.fits B.fits --mode rgb --steps stretch:midtones",
    )
    for line in lines:
        assert run(line.split()) == 0, capsys.readouterr().err
        outcome = reproduce(tmp_path / line.split()[1])
        assert outcome.same, outcome.words()
        assert outcome.causes == []
