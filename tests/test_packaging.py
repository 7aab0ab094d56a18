"""pyproject.toml, environment.yml and constraints.txt say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import firstlight

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CORE = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
OPTIONAL = [Requirement(line) for lines in PROJECT["project"]["optional-dependencies"].values() for line in lines]

NAMED_OTHERWISE = {"python-xxhash": "xxhash"}
"""conda's names to Python's."""


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_environment_has_the_core_of_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    lines = [line for line in environment["dependencies"] if isinstance(line, str)]
    lines += [line for part in environment["dependencies"] if isinstance(part, dict) for line in part["pip"]]
    given = {NAMED_OTHERWISE.get(r.name, r.name): r.specifier for r in map(Requirement, lines)}
    assert given.pop("python") == SpecifierSet(PROJECT["project"]["requires-python"])
    del given["pip"]
    assert given == {r.name: r.specifier for r in CORE}, "make environment.yml equal to [project] dependencies"


def test_constraints_pin_every_dependency_within_its_bounds():
    pinned = pins()
    build = [Requirement(line) for line in PROJECT["build-system"]["requires"]]
    for requirement in [*CORE, *OPTIONAL, *build]:
        name = requirement.name.lower().replace("_", "-")
        assert name in pinned, f"constraints.txt has no {name}: add {name}==version"
        assert requirement.specifier.contains(pinned[name], prereleases=True), (
            f"constraints.txt: {name}=={pinned[name]}; pyproject.toml allows {requirement.specifier}"
        )


def test_constraints_are_names_and_versions_in_order():
    lines = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    assert lines == sorted(lines, key=lambda line: line.partition("==")[0])
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", line) for line in lines)


def test_version_is_written_once_for_people_and_once_for_installers():
    assert firstlight.__version__ == PROJECT["project"]["version"]


def test_changelog_names_the_version():
    assert f"## {firstlight.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
