import numpy as np

from firstlight.library.plans import Assignment
from firstlight.model.registration import Registration, Transform
from firstlight.model.stars import Quality, Stars
from firstlight.pipeline.calibration import Calibration, Defects
from firstlight.pipeline.hotpixels import with_defects_of_lights
from firstlight.pipeline.measure import Light, find_spikes
from firstlight.pipeline.register import Placed
from memory_frame import memory_frame

SHAPE = (60, 80)
HOT = [(10, 10), (33, 70), (50, 21)]
COLD = [(20, 40)]


def placed_frames(moves, width=1.2, fwhm=1.8):
    """Lights of one moving star field on a sensor with bad pixels."""
    calibration = Calibration(defects=(Defects.of(np.zeros(SHAPE, bool)),))
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    placed = []
    for i, (dx, dy) in enumerate(moves):
        pixels = 100 + np.random.default_rng(i).normal(0, 3, SHAPE)
        for sy, sx in ((30.0, 30.0), (15.0, 60.0)):
            pixels += 300 * np.exp(-((xx + dx - sx) ** 2 + (yy + dy - sy) ** 2) / width)
        for y, x in HOT:
            pixels[y, x] += 40
        for y, x in COLD:
            pixels[y, x] -= 40
        frame = memory_frame(f"light_{i}", pixels.astype(np.float32))
        spikes = find_spikes(np.ascontiguousarray(pixels, np.float32), None)
        quality = Quality(2, fwhm, fwhm / 2, 0.0, 50.0, 100.0, 3.0)
        light = Light(
            frame, Assignment(frame), calibration, Stars.empty(), quality, np.array([100.0]), np.array([3.0]), spikes
        )
        placed.append(Placed(light, Registration(Transform.of_shift(dx, dy)), 1.0))
    return placed


def found(placed):
    notes = []
    calibrations = with_defects_of_lights(placed, notes)
    defects = calibrations[id(placed[0].light)].defects[0]
    return sorted(zip(defects.ys.tolist(), defects.xs.tolist())), notes


def test_pixels_that_stand_out_while_the_sky_moves_are_found():
    pixels, notes = found(placed_frames([(0, 0), (6, 2), (-5, 7), (9, -6), (-8, -3), (3, 9)]))
    assert set(HOT + COLD) <= set(pixels)
    assert len(pixels) <= len(HOT + COLD) + 1
    assert "pixels stand out in most lights" in notes[0]


def test_stars_of_an_unguided_standstill_are_not_taken_for_pixels():
    pixels, notes = found(placed_frames([(0, 0), (0.3, 0.1), (-0.2, 0.4), (0.1, 0), (0, 0.2), (0.1, 0.1)]))
    assert pixels == []
    assert notes == []


def test_two_dither_positions_do_not_make_pixels_of_stars():
    moves = [(0, 0)] * 4 + [(12, 7)] * 3
    pixels, _ = found(placed_frames(moves))
    assert not any(abs(y - 30) < 4 and abs(x - 30) < 4 for y, x in pixels)
    assert set(HOT + COLD) <= set(pixels)


def test_too_few_frames_say_nothing():
    assert found(placed_frames([(0, 0), (9, 9), (-9, 4)]))[0] == []


def test_lone_pixels_are_found_though_the_sky_stands_still():
    """Guiding so good, or drift so slow, that hot pixels wander over the stack by less than a star's width."""
    placed = placed_frames([(0.3 * i, 0.2 * i) for i in range(8)], width=5.0, fwhm=3.7)
    pixels, notes = found(placed)
    assert sorted(set(pixels)) == sorted(HOT + COLD)
    assert "sharper than any star" in notes[0]


def test_narrow_stars_of_a_standstill_stay():
    assert found(placed_frames([(0.3 * i, 0.2 * i) for i in range(8)])) == ([], [])
