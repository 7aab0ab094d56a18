"""What is missing, in words."""

from __future__ import annotations

from firstlight.library.assign import plan_calibrations
from firstlight.library.classify import Sighting
from firstlight.library.explain import missing_words
from firstlight.model.meta import Kind
from memory_frame import memory_frame


def words(*metas):
    lights = [
        memory_frame(f"light_{i}.fits", kind=Kind.LIGHT, exposure=60.0, **meta) for i, meta in enumerate(metas, start=1)
    ]
    return missing_words(plan_calibrations([Sighting(f, f.meta.kind, "IMAGETYP") for f in lights]).assignments)


def test_a_camera_without_cooling_is_asked_for_one_set_of_darks():
    assert words({"temperature": -1.15}, {"temperature": -3.15}, {"temperature": -2.15}) == [
        "Darkless: light_1.fits, light_2.fits, light_3.fits; take 10 or more darks of 60 s at -3.15 to -1.15 C",
        "Biasless (neither dark nor bias): light_1.fits, light_2.fits, light_3.fits; take 15 or more bias frames at "
        "-3.15 to -1.15 C, if not those darks",
        "Flatless: light_1.fits, light_2.fits, light_3.fits; take 8 or more flats, with the same focus and rotation",
    ]


def test_a_cooled_camera_is_asked_for_darks_of_each_set_temperature():
    found = words(*({"set_temperature": t, "temperature": t + 0.1} for t in (-10.0, -20.0)))
    assert [line for line in found if line.startswith("Darkless")] == [
        "Darkless: light_1.fits; take 10 or more darks of 60 s at -10 C",
        "Darkless: light_2.fits; take 10 or more darks of 60 s at -20 C",
    ]
