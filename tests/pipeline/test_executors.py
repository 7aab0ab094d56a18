import threading
import time

import pytest

from firstlight.pipeline.executors import memory_budget, ordered, thread_count, thread_pool
from firstlight.pipeline.progress import Clock, Progress


def test_results_come_in_order_and_few_are_in_flight():
    flying, most, lock = 0, 0, threading.Lock()

    def work(i):
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        time.sleep(0.002 * ((i * 7) % 5))
        with lock:
            flying -= 1
        return i

    with thread_pool(8) as pool:
        assert list(ordered(pool, work, range(40), ahead=3)) == list(range(40))
    assert most <= 3


def test_what_has_not_begun_is_left_undone_after_ctrl_c():
    begun = []

    def work(i):
        begun.append(i)
        time.sleep(0.05)

    def interrupted():
        with thread_pool(2) as pool:
            for i in range(50):
                pool.submit(work, i)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(begun) < 10


def test_asked_for_numbers_are_taken():
    assert thread_count(3) == 3
    assert thread_count() >= 1
    assert memory_budget(100) == 100 * 1024**2
    assert memory_budget() > 0


def test_clock_adds_up_a_stage_and_ends_it_on_errors():
    calls = []

    class Told(Progress):
        def begin(self, stage, total, unit):
            calls.append(stage)

        def end(self):
            calls.append("end")

    clock = Clock(Told())
    for _ in range(2):
        try:
            with clock.stage("measure", 3, "lights"):
                raise ValueError
        except ValueError:
            pass
    assert calls == ["measure", "end"] * 2
    assert set(clock.timings["measure"]) == {"wall_s", "cpu_s"}
