import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.calibrate.overscan import Overscan, overscan

HEIGHT, WIDTH, N = 120, 160, 24


def frame(seed=0, slope=0.1, cards=(), noise=3.0, jump=0.0):
    rng = np.random.default_rng(seed)
    rows = 1000 + slope * np.arange(HEIGHT)[:, None] + jump * (np.arange(HEIGHT)[:, None] > 60)
    data = rows + rng.normal(0, noise, (HEIGHT, WIDTH + N))
    data[:, :WIDTH] += 500
    return Image(data, variance=np.full(data.shape, noise**2), meta=Meta(saturation=60000.0, cards=tuple(cards)))


def test_the_level_and_its_slope_go_and_the_region_too():
    result = overscan(frame(), Overscan(side="right", width=N))
    assert result.shape == (1, HEIGHT, WIDTH)
    assert np.median(result.data) == pytest.approx(500, abs=0.3)
    slope = np.polyfit(np.arange(HEIGHT), result.data[0].mean(axis=1), 1)[0]
    assert abs(slope) < 0.005
    assert result.meta.saturation == pytest.approx(60000 - 1006, abs=1)


def test_the_header_names_bias_and_picture():
    cards = [("BIASSEC", f"[{WIDTH + 1}:{WIDTH + N},1:{HEIGHT}]", ""), ("TRIMSEC", f"[11:{WIDTH},1:{HEIGHT}]", "")]
    result = overscan(frame(cards=cards), Overscan())
    assert result.shape == (1, HEIGHT, WIDTH - 10)
    assert result.meta.origin == (10, 0)
    assert [card[0] for card in result.meta.cards] == []


def test_row_by_row_follows_a_jump():
    result = overscan(frame(jump=30, slope=0), Overscan(side="right", width=N, order=-1))
    means = result.data[0].mean(axis=1)
    assert means[:55].mean() == pytest.approx(means[65:].mean(), abs=0.4)


def test_rows_on_top():
    image = frame(slope=0)
    turned = Image(np.ascontiguousarray(image.data[0].T[::-1]))
    result = overscan(turned, Overscan(side="top", width=N, order=0))
    assert result.shape == (1, WIDTH, HEIGHT)
    assert np.median(result.data) == pytest.approx(500, abs=0.3)


@pytest.mark.parametrize("order", [-1, 0, 1, 3])
def test_the_noise_of_the_level_is_in_the_variance(order):
    results = [overscan(frame(seed), Overscan(side="right", width=N, order=order)) for seed in range(60)]
    scatter = np.var([r.data[0].mean(axis=1) for r in results], axis=0, ddof=1)
    claimed = np.mean([r.variance[0].mean(axis=1) for r in results], axis=0) - 9.0 + 9.0 / WIDTH
    assert scatter.mean() == pytest.approx(claimed.mean(), rel=0.15)


def test_a_cosmic_ray_in_the_overscan_does_no_harm():
    image = frame(slope=0)
    data = image.data.copy()
    data[0, 30, WIDTH + 5 : WIDTH + 9] = 40000
    result = overscan(image.replace(data=data), Overscan(side="right", width=N, order=-1))
    assert result.data[0, 30].mean() == pytest.approx(500, abs=3)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "no BIASSEC"),
        ({"side": "left"}, "give its width"),
        ({"side": "left", "width": 4, "skip": 4}, "leaves nothing"),
    ],
)
def test_what_cannot_be_is_said(settings, words):
    with pytest.raises(InputError, match=words):
        overscan(frame(), Overscan(**settings))
