"""Targets of results: see tests/test_targets.py for the commands."""

import pytest

from firstlight.errors import InputError
from firstlight.io.targets import FITS, check_folder, check_target


def test_what_is_allowed(tmp_path):
    check_target(tmp_path / "new" / "deeper" / "a.fits", endings=FITS)
    check_folder(tmp_path / "new" / "deeper")
    (tmp_path / "a.fits").touch()
    check_target(tmp_path / "a.fits", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.fits"]


def test_what_is_refused(tmp_path):
    (tmp_path / "a.fits").touch()
    for target, options, words in [
        (tmp_path, {}, "is a folder"),
        (tmp_path / "a.fits", {}, "exists already"),
        (tmp_path / "a.fits", {"sources": [tmp_path / "a.fits"]}, "this is an input"),
        (tmp_path / "b.gif", {"endings": FITS}, "the suffix is '.gif'"),
        (tmp_path / ("x" * 300), {}, "give another name"),
        (tmp_path / "a.fits" / "b.fits", {}, "is a file, where a folder is needed"),
    ]:
        with pytest.raises(InputError, match=words):
            check_target(target, **options)
    with pytest.raises(InputError, match="is a file, where a folder is needed"):
        check_folder(tmp_path / "a.fits")
