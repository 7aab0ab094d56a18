"""The table of keywords in the documentation is the table in the code."""

from __future__ import annotations

from pathlib import Path

from firstlight.io.dialects import FIELDS
from firstlight.model.meta import Meta

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"


def test_every_rule_is_documented_in_its_order():
    text = PAGE.read_text(encoding="utf-8")
    for field, rules in FIELDS.items():
        row = f"| {field} | {', '.join(f'`{rule.keyword}`' for rule in rules)} |"
        assert row in text, f"docs/formats.md: the row of this field should read\n{row}"


def test_fields_are_those_of_meta():
    assert set(FIELDS) <= set(Meta.__dataclass_fields__)
