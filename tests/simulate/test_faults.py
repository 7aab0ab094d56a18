"""Planted faults."""

import numpy as np
import pytest

from firstlight.errors import SpecError
from firstlight.simulate.faults import KINDS, parse_fault
from firstlight.simulate.night import Scene
from firstlight.simulate.settings import preset


def lights(*faults):
    return [
        f
        for f in Scene(preset("tiny").model_copy(update={"faults": faults, "trails": 0.0})).frames
        if f.kind == "light"
    ]


def test_faults_change_their_frames_and_no_others():
    plain, planted = lights(), lights("clouds@2", "wind@3", "focus@4-5", "plane@6", "dew@7", "moon@8")
    assert plain[0] == planted[0]
    assert planted[1].transparency < 0.75 * plain[1].transparency
    assert planted[1].sky_level > plain[1].sky_level
    assert planted[2].ellipticity > 0.3
    assert planted[3].fwhm > 1.2 * plain[3].fwhm
    assert planted[4].fwhm > planted[3].fwhm * plain[4].fwhm / plain[3].fwhm
    assert len(planted[5].trails) == 3
    assert planted[6].halo > 0.3
    assert planted[7].sky_level == pytest.approx(3 * plain[7].sky_level)
    assert [f.fault for f in planted[1:]] == ["clouds", "wind", "focus", "focus", "plane", "dew", "moon"]


def test_dew_keeps_the_light_that_it_does_not_take():
    night = preset("tiny").model_copy(update={"faults": ("dew@2:0.0",), "trails": 0.0})
    scene = Scene(night)
    light = [scene.light(f).sum() for f in scene.frames[1:2]]
    plain = Scene(night.model_copy(update={"faults": ()}))
    assert light[0] == pytest.approx(plain.light(plain.frames[1]).sum(), rel=0.03)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cloud@3", "did you mean clouds"),
        ("clouds", "write KIND@FIRST-LAST"),
        ("clouds@0", "counted from 1"),
        ("clouds@5-3", "counted from 1"),
        ("clouds@99", "the night has 8 lights"),
    ],
)
def test_refusals(text, words):
    with pytest.raises(SpecError, match=words):
        lights(text)


def test_every_kind_can_be_read():
    for kind in KINDS:
        assert parse_fault(f"{kind}@1:2.5") == (kind, 1, 1, 2.5)
    assert np.isfinite(parse_fault("dew@1-4")[2])
