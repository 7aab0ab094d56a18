"""Tables on a terminal and off it."""

from firstlight.cli import tables

ROWS = [("stretch:asinh", "[bold]not markup[/bold]"), ("bin:mean", "b")]


def test_plain_off_a_terminal(capsys):
    tables.show_table(("name", "what"), ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "name           what",
        "stretch:asinh  [bold]not markup[/bold]",
        "bin:mean       b",
    ]


def test_drawn_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    tables.show_table(("name", "what"), ROWS)
    shown = capsys.readouterr().out
    assert "─" in shown
    assert "[bold]not markup[/bold]" in shown


def test_the_last_column_folds():
    text = tables.plain_table([("a", "word " * 20)], indent="  ", width=40)
    assert all(len(line) <= 40 for line in text.splitlines())
    assert text.splitlines()[1].startswith("     word")
