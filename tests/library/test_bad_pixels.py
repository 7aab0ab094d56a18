"""Lists and maps of bad pixels."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.read import read
from firstlight.io.write import write
from firstlight.library.bad_pixels import make_map, read_bad_pixels, read_list, write_map
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Meta

SHAPE = (6, 8)
LISTS = {
    "all.yaml": "columns: [2]\nrows: [6]\nrectangles:\n  - [1, 2, 7, 8]\npixels:\n  - [4, 3]\n",
    "all.toml": "columns = [2]\nrows = [6]\nrectangles = [[1, 2, 7, 8]]\npixels = [[4, 3]]\n",
    "all.json": '{"columns": [2], "rows": [6], "rectangles": [[1, 2, 7, 8]], "pixels": [[4, 3]]}',
}


def expected():
    mask = np.zeros(SHAPE, bool)
    mask[:, 1] = mask[5] = mask[0:2, 6:8] = mask[2, 3] = True
    return mask


@pytest.mark.parametrize("name", LISTS)
def test_a_list_counts_from_one_and_includes_its_ends(tmp_path, name):
    path = tmp_path / name
    path.write_text(LISTS[name])
    np.testing.assert_array_equal(read_list(path, SHAPE), expected())


@pytest.mark.parametrize("text", ["columns: [2]\n", "rows: [1, 2]\n", "rectangles: []\npixels:\n", ""])
def test_any_section_may_be_missing(tmp_path, text):
    path = tmp_path / "a.yml"
    path.write_text(text)
    assert read_list(path, SHAPE).shape == SHAPE


@pytest.mark.parametrize(
    ("text", "words"),
    [("columns: [9]\n", "columns are 1 to 8"), ("rows: [0]\n", "rows 1 to 6"), ("lines: [1]\n", "'lines' is not known"),
     ("rectangles: [[1, 2, 3]]\n", r"\[row1, row2, column1, column2\]"), ("pixels: [[1.5, 2]]\n", "whole numbers"),
     ("- 1\n", "holds a list"), ("a: [\n", "cannot be understood")],
)  # fmt: skip
def test_mistakes_are_named(tmp_path, text, words):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_list(path, SHAPE)


def test_a_map_holds_what_found_each_pixel_and_counts_them(tmp_path):
    flags = np.zeros((1, *SHAPE), np.uint16)
    flags[0, 0, 0], flags[0, 3, 1], flags[0, 4, 4] = Flag.HOT, Flag.COLD, Flag.SATURATED
    path = write_map(tmp_path / "map.fits", make_map(flags, expected(), Meta(camera="A")))
    image = read(path)
    assert image.data[0, 0, 0] == 1
    assert image.data[0, 2, 3] == 2
    assert image.data[0, 3, 1] == 3
    assert image.data[0, 4, 4] == 0
    counts = {keyword: value for keyword, value, _ in image.meta.cards}
    assert (counts["NBADAUTO"], counts["NBADUSER"]) == (2, int(expected().sum()))
    back = read_bad_pixels(path, (1, *SHAPE))
    assert back[0, 0, 0] == Flag.HOT
    assert back[0, 3, 1] == Flag.COLD | Flag.NO_DATA
    np.testing.assert_array_equal(back[0] != 0, expected() | (flags[0] & (Flag.HOT | Flag.COLD) != 0))


def test_maps_of_other_programs_and_lists_serve_too(tmp_path):
    mask = write(tmp_path / "mask.fits", Image(expected().astype(np.float32)))
    (tmp_path / "a.yaml").write_text(LISTS["all.yaml"])
    for path in (mask, tmp_path / "a.yaml"):
        back = read_bad_pixels(path, (3, *SHAPE))
        assert back.shape == (3, *SHAPE)
        np.testing.assert_array_equal(back[2] == Flag.NO_DATA, expected())
    with pytest.raises(InputError, match="the map is 8 x 6 px, the frames are 8 x 7"):
        read_bad_pixels(mask, (1, 7, 8))
