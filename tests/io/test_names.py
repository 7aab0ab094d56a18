"""Names that hold bytes which are no text."""

from __future__ import annotations

import os
import shutil

import pytest

from firstlight.cli.main import run
from firstlight.errors import InputError
from firstlight.io.names import refuse_unreadable_name
from firstlight.io.read import find_files


def test_any_text_is_a_name(tmp_path):
    refuse_unreadable_name(tmp_path / "Ümläut [1] 'q' $x #2 %20 星")


def test_a_name_of_another_encoding_is_told_before_any_work(tmp_path, capsys):
    folder = tmp_path / os.fsdecode(b"l\xe4tin")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes no such names")
    (folder / "a.fits").write_bytes(b"x")
    (tmp_path / "night").mkdir()
    (tmp_path / "night" / os.fsdecode(b"f\xfcr.fits")).write_bytes(b"x")
    for command in ("process", "info", "quality", "measure"):
        assert run([command, str(folder)]) == 2
        assert "l?tin: the name holds bytes that are no text" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"f\?r\.fits: the name holds bytes"):
        find_files(tmp_path / "night")
    with pytest.raises(InputError, match=r"l\?tin: the name holds bytes"):
        find_files(folder)
    shutil.rmtree(folder)
