"""When guiding has come to rest."""

from __future__ import annotations

from firstlight.observe.guiding.settings import Settle
from firstlight.observe.guiding.settling import Settling


def test_a_frame_too_far_away_or_lost_starts_the_wait_again():
    settling = Settling(Settle(pixels=2, seconds=4, timeout=60), 0.0)
    seen = [settling.see(t, d) for t, d in [(0, 1.0), (2, 1.0), (3, 3.0), (5, 1.0), (7, None), (8, 0.5), (12, 0.5)]]
    assert seen == ["settling"] * 6 + ["settled"]
    assert (settling.frames, settling.lost) == (7, 1)


def test_it_fails_in_time_and_may_settle_later():
    settling = Settling(Settle(pixels=2, seconds=4, timeout=10), 0.0)
    assert [settling.see(t, 5.0) for t in (5, 9, 11)] == ["settling", "settling", "failed"]
    assert [settling.see(t, 1.0) for t in (13, 15, 17)] == ["failed", "failed", "settled"]


def test_a_gust_is_forgiven_clouds_are_not():
    settling = Settling(Settle(pixels=2, seconds=2, timeout=10), 0.0)
    assert [settling.see(t, 0.5) for t in (0, 2)] == ["settling", "settled"]
    assert [settling.see(t, d) for t, d in ((4, 6.0), (6, None), (8, None), (10, 1.0))] == ["settled"] * 4
    assert [settling.see(t, None) for t in (12, 14, 16)] == ["settled", "settled", "failed"]
    assert [settling.see(t, 0.5) for t in (18, 20)] == ["failed", "settled"]
