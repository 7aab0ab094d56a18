import json

import numpy as np
import pytest

from firstlight.cli.main import run
from firstlight.io.write import write
from firstlight.model.image import Image, State


@pytest.fixture
def image(tmp_path):
    data = np.linspace(0.1, 0.9, 32 * 40, dtype=np.float32).reshape(1, 32, 40)
    source = write(tmp_path / "source.fits", Image(data, state=State.STRETCHED))
    assert run(["apply", str(source), str(tmp_path / "image.png"), "stretch:gamma:gamma=1.5"]) == 0
    return tmp_path / "image.png"


def test_words_json_prov_and_graph(image, tmp_path, capsys):
    assert run(["explain", str(image), "--check"]) == 0
    words = capsys.readouterr().out
    assert "stretch:gamma@" in words
    assert "gamma=1.5" in words
    assert "unchanged" in words
    assert run(["explain", str(image), "--json", "--check"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["inputs"][0]["file"].endswith("source.fits")
    assert list(content["check"].values()) == ["same"]
    assert run(["explain", str(image), "--prov"]) == 0
    assert json.loads(capsys.readouterr().out)["wasDerivedFrom"]
    for name in ("g.svg", "g.dot"):
        assert run(["explain", str(image), "--graph", str(tmp_path / name)]) == 0
        assert "source.fits" in (tmp_path / name).read_text()


def test_a_picture_is_no_form_for_a_graph(image, tmp_path, capsys):
    assert run(["explain", str(image), "--graph", str(tmp_path / "g.png")]) == 2
    assert ".svg and .dot" in capsys.readouterr().err


def test_reproduce_says_same_or_differs_by_its_exit_code(image, tmp_path, capsys):
    assert run(["reproduce", str(image), "-q"]) == 0
    assert "the same bytes" in capsys.readouterr().out
    write(tmp_path / "source.fits", Image(np.full((1, 32, 40), 0.3, np.float32), state=State.STRETCHED))
    assert run(["reproduce", str(image), "--json"]) == 1
    outcome = json.loads(capsys.readouterr().out)
    assert not outcome["pixels_same"]
    assert "other content" in outcome["causes"][0]


def test_cite_writes_bibtex(image, capsys):
    assert run(["cite", str(image), "--bibtex"]) == 0
    assert "@article{harris2020," in capsys.readouterr().out
    assert run(["cite", str(image), "--json"]) == 0
    assert "gamma=1.5" in json.loads(capsys.readouterr().out)["paragraph"]


@pytest.mark.parametrize("command", ["explain", "reproduce", "cite"])
def test_no_file_no_traceback(command, tmp_path, capsys):
    assert run([command, str(tmp_path / "none.fits")]) == 2
    assert "there is no such file" in capsys.readouterr().err
