"""`firstlight ops`."""

from firstlight.cli.main import run
from firstlight.ops.registry import operations


def test_lists_all_or_one_family(capsys):
    assert run(["ops"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(operations())
    for name in ("stretch", "stretch:"):
        assert run(["ops", name]) == 0
        lines = capsys.readouterr().out.splitlines()[1:]
        assert {line.partition(":")[0] for line in lines} == {"stretch"}
        assert all(operations()[line.split()[0]].summary.replace("``", "") in line for line in lines)
