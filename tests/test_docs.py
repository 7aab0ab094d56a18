"""The pages of docs/ are true of the sources."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from firstlight.ops.registry import FAMILIES

ROOT = Path(__file__).resolve().parent.parent


def generator():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_fresh():
    for name, page in generator().PAGES.items():
        path = ROOT / "docs" / name
        assert path.is_file(), f"docs/{name} is missing: run `make docs`"
        assert path.read_text(encoding="utf-8") == page(), f"docs/{name} is not what the sources say: run `make docs`"


def test_every_family_has_a_title():
    assert list(generator().FAMILY_TITLES) == list(FAMILIES)


def test_conventions_name_every_family():
    text = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| ((?:`\w+:` ?)+)\| (\w+)", text, flags=re.MULTILINE))
    said = {prefix: folder for prefixes, folder in table.items() for prefix in re.findall(r"`(\w+):`", prefixes)}
    for family, folder in FAMILIES.items():
        assert family in said, f"docs/conventions.md: the family {family}: is not in the table"
        assert said[family] in (folder, "same"), f"docs/conventions.md: {family}: lies in {folder}"


@pytest.mark.parametrize(
    "page",
    sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]),
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}, which is not there"


def test_decisions_are_numbered_and_have_their_parts():
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    assert len(set(numbers)) == len(numbers), f"a number is used twice: {numbers}"
    for page in pages:
        text = page.read_text(encoding="utf-8")
        missing = [part for part in ("Status:", "## Context", "## Decision", "## Consequences") if part not in text]
        assert not missing, f"{page.name} has no {', '.join(missing)}: see docs/decisions/0000-template.md"
