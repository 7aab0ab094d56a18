"""What notebooks show."""

import base64
import io
import re
import subprocess
import sys

import numpy as np
from PIL import Image as Picture

import firstlight as fl
from firstlight.pipeline.settings import Output, Settings
from firstlight.simulate.night import preset, simulate


def picture_in(page):
    (text,) = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return np.asarray(Picture.open(io.BytesIO(base64.b64decode(text))))


def test_an_image_shows_a_picture_and_its_facts():
    rng = np.random.default_rng(1)
    data = rng.normal(500, 10, (300, 1700)).astype(np.float32)
    data[100:110, 200:210] += 5000
    bundle = fl.Image(data, meta=fl.Meta(target="<M 31>", exposure=60.0))._repr_mimebundle_()
    pixels = picture_in(bundle["text/html"])
    assert max(pixels.shape[:2]) <= 800
    assert 40 < np.median(pixels) < 90
    assert pixels[35, 68] > 200
    assert "&lt;M 31&gt;" in bundle["text/html"]
    assert "60 s" in bundle["text/html"]
    assert bundle["text/plain"].startswith("<Image")


def test_odd_images_show_too():
    for image in (fl.Image(np.full((20, 30), np.nan)), fl.Image(np.zeros((2, 5, 5))), fl.Image(np.ones((3, 40, 40))),
                  fl.Image(np.ones((1, 1))),
                  fl.Image(np.arange(1600.0).reshape(40, 40), meta=fl.Meta(cfa="RGGB"))):  # fmt: skip
        assert picture_in(image._repr_mimebundle_()["text/html"]).size


def test_a_run_shows_its_stacks(tmp_path):
    simulate(tmp_path / "night", preset("tiny").model_copy(update={"n_lights": 3}))
    result = fl.process(tmp_path / "night", Settings(output=Output(pictures=False)))
    bundle = result._repr_mimebundle_()
    assert "Tiny_field_L_60s" in bundle["text/html"]
    assert picture_in(bundle["text/html"]).shape[:2] == (200, 300)
    assert bundle["text/plain"].endswith("Tiny_field_L_60s>")


def test_nothing_that_draws_is_loaded_at_import():
    program = "import sys, firstlight as fl; fl.Image([[1]]); print('matplotlib' in sys.modules, 'PIL' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
