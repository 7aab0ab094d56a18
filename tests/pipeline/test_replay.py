"""Steps undone and done again."""

import numpy as np
import pytest

from firstlight import apply, read, write
from firstlight.cli.main import run
from firstlight.errors import InputError, SpecError
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.pipeline.replay import chosen_steps, history_of_file, replay

CHAIN = ["cal:constant:value=5", "nr:gaussian:sigma=1.5", "stretch:midtones"]


@pytest.fixture
def files(tmp_path):
    data = np.random.default_rng(1).normal(100, 5, (40, 50))
    source = write(tmp_path / "in.fits", apply(Image(data, meta=Meta(saturation=1000.0)), "cal:constant:do=multiply"))
    return source, write(tmp_path / "out.fits", apply(read(source), *CHAIN))


def same(one, other):
    np.testing.assert_array_equal(one.data, other.data)
    assert one.history == other.history


def test_all_some_and_none_of_the_steps(files):
    source, out = files
    image = read(source)
    assert len(history_of_file(out)) == 4
    same(replay(out, source)[0], read(out))
    same(replay(out, source, until=2)[0], apply(image, CHAIN[0]))
    same(replay(out, source, without=[3])[0], apply(image, CHAIN[0], CHAIN[2]))
    same(replay(out, source, until=1)[0], image)


def test_numbers_and_sources_that_do_not_fit(files, tmp_path):
    source, out = files
    with pytest.raises(InputError, match="step 9 is asked for; the history has 4"):
        replay(out, source, until=9)
    with pytest.raises(InputError, match="not the first ones of this history"):
        chosen_steps(["a:b@1"], after=["c:d@1"])
    with pytest.raises(SpecError, match="unknown operation"):
        chosen_steps(["nothing:here@1"])
    plain = write(tmp_path / "plain.fits", Image(np.ones((4, 4))))
    with pytest.raises(InputError, match="has no history"):
        replay(plain, source)


def test_a_step_of_another_version_is_not_passed_off(files, tmp_path):
    source, out = files
    old = read(out)
    history = (*old.history[:-1], old.history[-1].replace("midtones@3", "midtones@1"))
    written = write(tmp_path / "old.fits", old.replace(history=history))
    with pytest.raises(SpecError, match="at version 3, not 1: pixels would differ; --any-version does"):
        replay(written, source)
    image, _ = replay(written, source, any_version=True)
    np.testing.assert_array_equal(image.data, old.data)
    assert image.history == old.history


def test_from_the_command_line(files, tmp_path, capsys):
    source, out = files
    assert run(["history", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "  2  cal:constant@1:do=add,value=5.0" in shown
    assert run(["history", str(out), "--plain"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    again = tmp_path / "again.fits"
    assert run(["replay", str(out), str(again), "--from", str(source), "--until", "2"]) == 0
    same(read(again), apply(read(source), CHAIN[0]))
    assert run(["replay", str(out), str(again), "--from", str(source)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_files_know_what_they_were_made_from(tmp_path, capsys):
    """Undo without naming anything: even through two commands, and with a further image."""
    rng = np.random.default_rng(2)
    first = write(tmp_path / "a.fits", Image(rng.normal(100, 5, (30, 30)), meta=Meta(saturation=1000.0)))
    bias = write(tmp_path / "bias.fits", Image(rng.normal(10, 1, (30, 30))))
    second, third = tmp_path / "b.fits", tmp_path / "c.fits"
    subtract = ["cal:arithmetic", "nr:gaussian", "--frame", f"other={bias}"]
    assert run(["apply", str(first), str(second), *subtract]) == 0
    assert run(["apply", str(second), str(third), "stretch:gamma"]) == 0
    for number, wanted in (("2", second), ("3", third)):
        out = tmp_path / f"{number}.fits"
        assert run(["replay", str(third if number == "3" else second), str(out), "--until", number]) == 0
        same(read(out), read(wanted))
    out = tmp_path / "one.fits"
    assert run(["replay", str(third), str(out), "--until", "1", "--frame", f"other={bias}"]) == 0
    np.testing.assert_allclose(read(out).data, read(first).data - read(bias).data)
    write(first, Image(np.ones((30, 30))))
    capsys.readouterr()
    assert run(["replay", str(second), str(tmp_path / "d.fits")]) == 2
    assert "it has changed since" in capsys.readouterr().err


def test_pictures_keep_their_history(files, tmp_path):
    _, out = files
    for suffix in (".png", ".tif"):
        assert history_of_file(write(tmp_path / f"a{suffix}", read(out))) == read(out).history
