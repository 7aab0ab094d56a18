from firstlight.library.assign import plan_calibrations
from firstlight.library.classify import Sighting
from firstlight.library.plans import Rules, slug
from firstlight.model.meta import Kind
from memory_frame import memory_frame


def session(*frames):
    return [Sighting(f, f.meta.kind, "IMAGETYP") for f in frames]


def light(**meta):
    return memory_frame("light.fits", kind=Kind.LIGHT, **{"exposure": 60.0, **meta})


def frames(kind, n, **meta):
    return [memory_frame(f"{kind.value}_{i}.fits", kind=kind, **meta) for i in range(n)]


def only(calibrations):
    (assignment,) = calibrations.assignments
    return assignment


def test_a_dark_of_the_exposure_is_used_without_a_bias():
    plan = plan_calibrations(session(light(), *frames(Kind.BIAS, 20), *frames(Kind.DARK, 10, exposure=60.0)))
    given = only(plan)
    assert given.dark is not None
    assert given.bias is None
    assert "bias: not needed, the dark holds it" in given.reasons


def test_without_a_fitting_dark_the_bias_is_used_and_the_plan_says_why():
    plan = plan_calibrations(session(light(), *frames(Kind.BIAS, 20), *frames(Kind.DARK, 10, exposure=10.0)))
    given = only(plan)
    assert given.dark is None
    assert given.bias is not None
    assert any("exposure 10 s against 60 s" in reason for reason in given.reasons)


def test_darks_are_scaled_only_on_request():
    sightings = session(light(), *frames(Kind.BIAS, 20), *frames(Kind.DARK, 10, exposure=30.0))
    given = only(plan_calibrations(sightings, Rules(scale_darks=True)))
    assert given.dark_scale == 2.0
    assert given.bias is not None
    assert given.dark is not None


def test_of_several_darks_the_one_nearest_in_exposure_is_scaled():
    darks = [*frames(Kind.DARK, 3, exposure=10.0), *frames(Kind.DARK, 3, exposure=50.0)]
    given = only(plan_calibrations(session(light(), *frames(Kind.BIAS, 5), *darks), Rules(scale_darks=True)))
    assert given.dark.like.meta.exposure == 50.0


def test_flats_take_their_dark_flat_before_the_bias():
    flats = frames(Kind.FLAT, 10, exposure=2.0)
    with_dark_flats = plan_calibrations(
        session(light(), *flats, *frames(Kind.BIAS, 20), *frames(Kind.DARK_FLAT, 10, exposure=2.0))
    )
    assert only(with_dark_flats).flat.subtract.kind == Kind.DARK_FLAT
    with_bias = plan_calibrations(
        session(light(), *flats, *frames(Kind.BIAS, 20), *frames(Kind.DARK, 9, exposure=60.0))
    )
    assert only(with_bias).flat.subtract.kind == Kind.BIAS
    bare = plan_calibrations(session(light(), *flats))
    assert only(bare).flat.subtract is None
    assert any("pedestal stays in" in note for note in only(bare).flat.notes)


def test_calibrated_lights_are_not_calibrated_twice():
    done = frozenset({"bias", "dark", "flat"})
    everything = [*frames(Kind.BIAS, 20), *frames(Kind.DARK, 10, exposure=60.0), *frames(Kind.FLAT, 10, exposure=1.0)]
    given = only(plan_calibrations(session(light(calibrated=done), *everything)))
    assert (given.bias, given.dark, given.flat) == (None, None, None)


def test_a_bias_subtracted_light_does_not_get_a_dark_that_holds_bias():
    given = only(
        plan_calibrations(session(light(calibrated=frozenset({"bias"})), *frames(Kind.DARK, 10, exposure=60.0)))
    )
    assert given.dark is None
    assert given.bias is None


def test_two_gains_give_two_masters():
    biases = [*frames(Kind.BIAS, 3, gain_setting=0.0), *frames(Kind.BIAS, 3, gain_setting=100.0)]
    plan = plan_calibrations(session(*biases))
    assert len(plan.masters) == 2


def test_few_frames_are_remarked():
    plan = plan_calibrations(session(*frames(Kind.BIAS, 3)))
    assert plan.masters[0].notes == ("only 3 frames; 15 or more keep its noise out of the lights",)


def test_slug_keeps_names_readable():
    assert slug("NGC 7000 / Pelican") == "NGC_7000_Pelican"
    assert slug(None) == ""
