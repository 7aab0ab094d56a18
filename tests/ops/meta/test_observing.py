from __future__ import annotations

from datetime import UTC, datetime

import pytest

from firstlight import read
from firstlight.errors import InputError
from firstlight.io.write import write
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.meta.observing import Observe, add_observing, observed, observing_of, with_observing

META = Meta(
    start=datetime(2026, 1, 17, 22, tzinfo=UTC), exposure=600.0, ra=83.8, dec=-5.4, latitude=48.0, longitude=11.6,
    cards=(("CENTALT", 12.0, ""), ("MOONANGL", 5.0, ""), ("KEEP", 1, "")),
)  # fmt: skip


def numbers(image):
    return {keyword: value for keyword, value, _ in image.meta.cards}


def test_what_held_for_another_moment_is_replaced_and_all_survives_the_disk(tmp_path):
    image = add_observing(Image([[1.0, 2.0]], meta=META), Observe())
    write(tmp_path / "a.fits", image)
    back = read(tmp_path / "a.fits")
    said = numbers(back)
    assert said["KEEP"] == 1
    assert "MOONANGL" not in said
    assert said["CENTALT"] == pytest.approx(36.6, abs=3)
    assert said["BJD_TDB"] == numbers(image)["BJD_TDB"]
    assert back.meta.airmass == image.meta.airmass
    assert (back.meta.latitude, back.meta.longitude) == (48.0, 11.6)


def test_moments_follow_one_another():
    image = Image([[1.0, 2.0]], meta=META)
    masses = [add_observing(image, Observe(moment=m)).meta.airmass for m in ("start", "middle", "end")]
    assert masses == sorted(masses)
    assert masses[0] != masses[2]


def test_what_is_missing_is_said():
    for meta, why in (
        (META.replace(start=None), "the middle of the exposure is not known"),
        (META.replace(latitude=None, ra=None), "neither site nor position"),
    ):
        with pytest.raises(InputError, match=why):
            add_observing(Image([[1.0, 2.0]], meta=meta), Observe())


def test_frames_of_two_sites_and_without_facts():
    there = META.replace(longitude=-110.9)
    found = observing_of([META, META.replace(start=None), there, Meta()])
    assert found[0].altitude != found[2].altitude
    assert found[1].altitude is found[3].altitude is None


def test_an_airmass_of_the_header_stays_where_none_is_worked_out():
    meta = META.replace(airmass=1.7, latitude=None)
    (found,) = observing_of([meta])
    assert with_observing(meta, found).airmass == 1.7


def test_the_airmass_of_a_stack_is_the_weighted_mean_of_its_frames():
    frames = [META.replace(airmass=a, exposure=s) for a, s in ((1.0, 60.0), (2.0, 60.0), (1.5, 120.0))]
    stack = observed(META.replace(airmass=1.0), frames, [1.0, 3.0, 0.5])
    assert stack.airmass == pytest.approx((1.0 * 60 + 2.0 * 180 + 1.5 * 60) / 300, abs=1e-4)
    assert {k: v for k, v, _ in stack.cards}["CENTALT"] != 12.0
    assert observed(META, [*frames, META], [1.0] * 4).airmass is None
    # Nowhere and never: what held for the reference frame alone is dropped all the same.
    lost = observed(META.replace(start=None, ra=None), frames, [1.0] * 3)
    assert [card[0] for card in lost.cards] == ["KEEP"]
