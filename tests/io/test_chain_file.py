"""Chains in TOML."""

import pytest

from firstlight.errors import InputError
from firstlight.io.chain_file import read_chain


def chain(tmp_path, text):
    path = tmp_path / "chain.toml"
    path.write_text(text)
    return read_chain(path)


def test_lists_and_tables(tmp_path):
    assert chain(tmp_path, 'steps = ["abr:polynomial", "stretch:midtones:target=0.2"]') == [
        "abr:polynomial", "stretch:midtones:target=0.2"]  # fmt: skip
    text = '[[step]]\nop = "stretch:midtones"\ntarget = 0.2\nlinked = false\n[[step]]\nop = "color:mix"\n'
    text += "matrix = [1, 0, 0.5]"
    assert chain(tmp_path, text) == ["stretch:midtones:target=0.2,linked=false", "color:mix:matrix=1/0/0.5"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("steps = 3", "must be a list"), ("", "holds no steps"), ("stepz = []", "stepz: unknown"),
     ("[[step]]\ntarget = 2", "step 1 has no op"), ("a = ", "cannot be read as TOML"),
     ("[[step]]\nop = 'a:b'\nx = {}", "no number, text")],
)  # fmt: skip
def test_mistakes(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        chain(tmp_path, text)
    with pytest.raises(InputError, match="no such file"):
        read_chain(tmp_path / "none.toml")
