"""The written pages: links lead somewhere, tables are those of the sources, decisions have their parts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from firstlight.ops.registry import FAMILIES

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "page",
    sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]),
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}, which is not there"


def test_conventions_name_every_family():
    text = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| ((?:`\w+:` ?)+)\| (\w+)", text, flags=re.MULTILINE))
    said = {prefix: folder for prefixes, folder in table.items() for prefix in re.findall(r"`(\w+):`", prefixes)}
    for family, folder in FAMILIES.items():
        assert family in said, f"docs/conventions.md: the family {family}: is not in the table"
        assert said[family] in (folder, "same"), f"docs/conventions.md: {family}: lies in {folder}"


def test_decisions_are_numbered_and_have_their_parts():
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    assert len(set(numbers)) == len(numbers), f"a number is used twice: {numbers}"
    for page in pages:
        text = page.read_text(encoding="utf-8")
        missing = [part for part in ("Status:", "## Context", "## Decision", "## Consequences") if part not in text]
        assert not missing, f"{page.name} has no {', '.join(missing)}: see docs/decisions/0000-template.md"


def test_make_targets_in_the_pages_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md"):
        for target in re.findall(
            r"(?:`|^    )make ([a-z]+)\b", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE
        ):
            assert target in targets, f"{name} speaks of `make {target}`, which the Makefile does not know"
