"""``firstlight photometry`` as it is called."""

import numpy as np

from firstlight.cli.main import run
from firstlight.io.write import write
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from star_field import expose, light_of, scattered


def test_a_report_for_each_image(tmp_path, capsys):
    rng = np.random.default_rng(2)
    x, y = scattered(rng, 25, (230, 230), 34.0, 20.0)
    image = Image(expose(light_of((230, 230), x, y, 1e5), rng), meta=Meta(exposure=10.0, gain=1.5, filter="R"))
    path = write(tmp_path / "a.fits", image)
    assert run(["photometry", str(path), "--completeness", "40", "--no-solve", "-q", "--table", ".csv"]) == 0
    out = capsys.readouterr().out
    assert "a.fits: 25 stars" in out
    assert "put in" in out
    assert (tmp_path / "a_photometry.csv").is_file()
    assert run(["photometry", str(tmp_path / "none.fits")]) == 2
    assert "there is no such file" in capsys.readouterr().err
