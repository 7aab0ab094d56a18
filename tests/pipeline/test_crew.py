import pytest

from far_work import Killer, always_die, die_once, double, fail
from firstlight import process
from firstlight.errors import InputError
from firstlight.pipeline.crew import Crew, Processes, WorkersLost, crew_of
from firstlight.pipeline.settings import Settings
from firstlight.simulate.night import simulate
from firstlight.simulate.settings import preset


@pytest.fixture
def crew(tmp_path):
    backend = Processes(2, 2**28)
    with Crew(1, backend, tmp_path) as crew:
        yield crew
    backend.close()


def test_results_come_in_order_and_a_dead_worker_loses_nothing(crew, tmp_path):
    assert list(crew.spread(double, [(i,) for i in range(20)])) == [2 * i for i in range(20)]
    assert list(crew.spread(die_once, [(i, str(tmp_path)) for i in range(9)])) == [2 * i for i in range(9)]
    assert crew.losses == 1


def test_a_fault_of_the_work_is_not_taken_for_a_dead_worker(crew):
    with pytest.raises(KeyError):
        list(crew.spread(fail, [(1,)]))
    assert crew.losses == 0


def test_workers_that_always_die_end_the_run_with_advice(crew, monkeypatch):
    monkeypatch.setattr("firstlight.pipeline.crew.MOST_LOSSES", 1)
    with pytest.raises(WorkersLost, match="memory"):
        list(crew.spread(always_die, [(1,)]))


def test_threads_are_what_one_gets_unasked(tmp_path):
    with crew_of(Settings(threads=2), tmp_path) as (executor, workers, scratch):
        assert not isinstance(executor, Crew)
        assert workers == 2
        assert scratch.is_dir()
    assert not scratch.exists()


def test_no_scheduler_no_run(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("firstlight.pipeline.dask_workers.ANSWER_S", "1s")
    settings = Settings(executor="dask", scheduler="tcp://127.0.0.1:9")
    with pytest.raises(InputError, match="no Dask scheduler answers"), crew_of(settings, tmp_path):
        pass


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night")
    simulate(folder / "night", preset("tiny"))
    return folder


def bytes_of(folder):
    return {p.name: p.read_bytes() for part in ("stacks", "masters", "pictures") for p in (folder / part).iterdir()}


def run(night, name, progress=None, **settings):
    process(night / "night", Settings(**settings), output=night / name, progress=progress)
    return bytes_of(night / name)


@pytest.mark.parametrize(
    "settings",
    [{}, {"calibrate": {"cosmic_rays": True, "banding": "rows"}, "registration": {"framing": "union"}}],
    ids=["plain", "cleaned"],
)
def test_processes_make_the_bytes_of_threads(night, settings, request):
    name = request.node.callspec.id
    one = run(night, f"{name}-threads", threads=2, **settings)
    killer = Killer("measure", "integrate")
    many = run(night, f"{name}-processes", killer, executor="processes", workers=2, **settings)
    assert killer.stages == []
    assert len(killer.killed) == 2
    assert one.keys() == many.keys()
    assert len(one) >= 6
    assert [n for n in one if one[n] != many[n]] == []
    assert not list(night.glob(f"{name}-*/.scratch-*"))


@pytest.mark.slow
def test_dask_makes_the_bytes_of_threads_though_workers_are_killed(night):
    pytest.importorskip("distributed")
    one = run(night, "threads", threads=2)
    killer = Killer("masters", "integrate")
    many = run(night, "dask", killer, executor="dask", workers=2)
    assert killer.stages == []
    assert len(killer.killed) == 2
    assert [n for n in one if one[n] != many[n]] == []


def test_a_setting_of_who_works_does_not_make_another_run(night):
    run(night, "again", threads=2)
    result = process(night / "night", Settings(executor="processes", workers=1), output=night / "again")
    assert result.unchanged


def test_the_threads_of_a_run_do_the_parts_of_its_images():
    import threading

    from firstlight.ops.parts import each_part, row_parts

    plane = (4000, 6000)
    with crew_of(Settings(threads=2), None) as (executor, workers, _):
        names = each_part(lambda rows: threading.current_thread().name, row_parts(plane))
        assert len(names) == workers == 2
        assert all(name.startswith("firstlight") for name in names)
        # Within the work of a thread there are no further hands: two images side by side take a thread each.
        assert executor.submit(row_parts, plane).result() == [(0, 4000)]
    assert row_parts(plane) == [(0, 4000)]
