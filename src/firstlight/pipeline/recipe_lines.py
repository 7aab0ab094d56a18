"""Where in the text of a recipe something stands, for errors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_HEAD = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?")
_KEY = re.compile(r"^\s*\"?([A-Za-z0-9_-]+)\"?\s*=")


class Lines:
    """Lines of sections, of options in them, and of the steps in their order.

    >>> lines = Lines("[stacking]\\nmethod = 1\\n[[then]]\\ndo = 2\\n", "a.toml")
    >>> lines.at("stacking", "method"), lines.at_step(0, "do"), lines.at("drizzle")
    ('a.toml, line 2', 'a.toml, line 4', 'a.toml')
    """

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self._places: dict[tuple[str, ...], int] = {}
        self._steps: list[dict[str, int]] = []
        section = ""
        for number, line in enumerate(text.splitlines(), 1):
            head, key = _HEAD.match(line), _KEY.match(line)
            if head and head[1] == "[[":
                section = "[["
                self._places.setdefault((head[2],), number)
                self._steps.append({"": number})
            elif head:
                section = head[2]
                self._places.setdefault((section,), number)
            elif key and section == "[[":
                self._steps[-1].setdefault(key[1], number)
            elif key:
                self._places.setdefault((section, key[1]) if section else (key[1],), number)

    def at(self, *names: str) -> str:
        """The place of a section, or of an option in one."""
        line = self._places.get(names) or self._places.get((".".join(names),)) or self._places.get(names[:1])
        return self._words(line)

    def at_step(self, number: int, key: str = "") -> str:
        """The place of a step, or of an option of it."""
        places = self._steps[number] if number < len(self._steps) else {}
        return self._words(places.get(key) or places.get(""))

    def at_setting(
        self, where: Sequence[str], sections: Mapping[str, str], fields: Mapping[tuple[str, str], str]
    ) -> str:
        """The place of a setting, whatever the recipe calls it."""
        section, key = ("", where[0]) if len(where) == 1 else (where[0], where[1]) if where else ("", "")
        names = [section, *(word for word, meant in sections.items() if meant == section)]
        keys = [key, *(word for (of, word), meant in fields.items() if of == section and meant == key)]
        for name in names:
            for word in keys:
                if (name, word) in self._places:
                    return self._words(self._places[name, word])
        return self._words(None)

    def _words(self, line: int | None) -> str:
        return self.source if line is None else f"{self.source}, line {line}"
