import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.story import read_story
from firstlight.io.write import write
from firstlight.model.image import Image, State

STORY = {"made_by": "apply", "steps": ["stretch:midtones@1"], "inputs": [{"file": "Grüße.fits"}]}


@pytest.mark.parametrize("name", ["a.fits", "a.png", "a.tif", "a.jpg"])
def test_every_format_tells_how_it_was_made(tmp_path, name):
    image = Image(np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(1, 48, 64), state=State.STRETCHED)
    path = write(tmp_path / name, image, provenance=STORY)
    assert read_story(path) == STORY
    assert read_story(write(tmp_path / f"without_{name}", image)) is None


def test_a_linear_tiff_tells_it_too(tmp_path):
    assert read_story(write(tmp_path / "a.tif", Image(np.ones((1, 8, 8))), provenance=STORY)) == STORY


def test_what_is_not_there_or_broken_is_said(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        read_story(tmp_path / "none.fits")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"broken\.png: its provenance cannot be read"):
        read_story(tmp_path / "broken.png")
    (tmp_path / "other.xyz").write_bytes(b"")
    assert read_story(tmp_path / "other.xyz") is None
