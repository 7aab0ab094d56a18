"""YAML, TOML and JSON that people write."""

from __future__ import annotations

import tomllib

import pytest

from firstlight.errors import InputError
from firstlight.io.table_files import read_table, write_json, write_toml


def test_toml_comes_back_as_it_was(tmp_path):
    values = {
        "text": 'a "b" \\ ü',
        "n": 3,
        "x": 0.1,
        "yes": True,
        "list": [1, 2.5],
        "none": None,
        "t": {"a b": 1, "c": "d"},
    }
    path = write_toml(tmp_path / "a.toml", values, "First line\nsecond")
    assert path.read_text().startswith("# First line\n# second\n")
    values.pop("none")
    assert read_table(path) == values
    assert tomllib.loads(path.read_text()) == values


def test_json_has_no_numbers_that_are_none(tmp_path):
    path = write_json(tmp_path / "a.json", {"x": float("nan"), "y": [float("inf"), 1.5], "z": (1, "a")})
    assert read_table(path) == {"x": None, "y": [None, 1.5], "z": [1, "a"]}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [("a.txt", "", "the suffix is '.txt'"), ("a.yaml", "a: [", "cannot be understood"),
     ("a.json", "[1]", "holds a list"), ("a.toml", "a = ", "cannot be understood")],
)  # fmt: skip
def test_what_cannot_be_read_is_said(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_table(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_table(tmp_path / "missing.yaml")


def test_not_a_text(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(InputError, match="UTF-8"):
        read_table(path)
