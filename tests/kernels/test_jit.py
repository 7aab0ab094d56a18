"""The cache of compiled kernels: none outlives a change of what it calls."""

import shutil
from pathlib import Path

from firstlight.kernels import combine, jit, weigh

HERE = Path(jit.__file__).parent


def copy_of(folder, changed=None):
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    if changed:
        path = folder / changed
        path.write_text(path.read_text() + "# other\n")
    return jit.source_digest(folder / "weigh.py")


def test_digest_follows_every_file_that_is_called(tmp_path):
    before = copy_of(tmp_path / "a")
    assert before == jit.source_digest(HERE / "weigh.py")
    # Called directly, by what is called, and not at all.
    assert copy_of(tmp_path / "b", "tiles.py") != before
    assert copy_of(tmp_path / "c", "jit.py") != before
    assert copy_of(tmp_path / "e", "kept.py") == before
    assert copy_of(tmp_path / "d", "drizzle.py") == before
    files = [tmp_path / name / "combine.py" for name in "ab"]
    assert jit.source_digest(files[0]) != jit.source_digest(files[1])


def test_compiled_kernels_are_kept_by_that_digest():
    for each in (combine.combine, combine.sort_tile, weigh.adaptive):
        assert each._cache._cache_file._source_stamp == jit.source_digest(Path(each.py_func.__code__.co_filename))
