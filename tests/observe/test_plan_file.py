"""Takes as words, plans as files."""

from __future__ import annotations

import pytest

from firstlight.errors import InputError, SpecError
from firstlight.observe.plan_file import parse_take, read_plan


@pytest.mark.parametrize(
    ("text", "found"),
    [("Ha:300x20", ("Ha", 300.0, 20)), ("0.5x100", ("", 0.5, 100)), ("O III: 60s * 3", ("O III", 60.0, 3))],
)
def test_takes(text, found):
    take = parse_take(text, gain=100)
    assert (take.shot.filter, take.shot.seconds, take.count) == found
    assert take.shot.gain == 100


@pytest.mark.parametrize("text", ["", "Ha", "Ha:300", "Ha:0x5", "300x0", "x5", "L:-3x5", "L:3x5.5"])
def test_words_that_are_no_take(text):
    with pytest.raises(SpecError, match="FILTER:SECONDSxCOUNT"):
        parse_take(text)


def test_a_plan(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('object = "M 27"\ntakes = ["L:120x20"]\ngoto = true\ndither = 12.5\n', encoding="utf-8")
    assert read_plan(path) == {"object": "M 27", "takes": ["L:120x20"], "goto": True, "dither": 12.5}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("objct = 'x'", "objct is not known; did you mean object"),
        ("cycle = true", "cycle = True; a whole number is allowed"),
        ("gain = 'high'", "a number is allowed"),
        ("takes = 'L:1x1'", "a list of takes is allowed"),
        ("takes = [", "cannot be read as a plan"),
    ],
)
def test_mistakes_in_plans(tmp_path, text, words):
    (tmp_path / "plan.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_plan(tmp_path / "plan.toml")
