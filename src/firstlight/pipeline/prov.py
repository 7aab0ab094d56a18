"""Provenance in the vocabulary of the W3C: PROV-JSON (https://www.w3.org/submissions/prov-json/)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from firstlight.io.content import QUICK_HASH
from firstlight.pipeline.lineage import Lineage, Source

PREFIXES = {"fl": "https://firstlight.invalid/prov#", "run": "urn:firstlight:"}


def prov_document(lineage: Lineage) -> dict[str, Any]:
    """Entities (files), activities (what was done), the agent (program and version) and their relations.

    Two files of the same content are one entity: names follow the hash where there is one, else the path.
    """
    document: dict[str, Any] = {
        "prefix": dict(PREFIXES),
        "entity": {}, "activity": {}, "agent": {}, "used": {}, "wasGeneratedBy": {}, "wasDerivedFrom": {},
        "wasAssociatedWith": {},
    }  # fmt: skip
    _add(document, lineage, _name(lineage.path, ""))
    return {key: value for key, value in document.items() if value}


def _add(document: dict[str, Any], lineage: Lineage, name: str) -> None:
    if name in document["activity"] or not (lineage.inputs or lineage.steps):
        document["entity"].setdefault(name, _entity(lineage.path, lineage.kind, ""))
        return
    document["entity"].setdefault(name, _entity(lineage.path, lineage.kind, ""))
    document["entity"][name] |= {f"fl:{key}": _value(v) for key, v in lineage.facts.items() if not isinstance(v, list)}
    activity = name.replace("run:", "run:making-", 1)
    if activity in document["activity"]:
        return
    document["activity"][activity] = {
        "prov:label": f"making of {lineage.path.name}",
        "prov:type": _typed("fl:Making"),
        "fl:steps": list(lineage.steps),
        **({"fl:settings": _value(lineage.settings)} if lineage.settings else {}),
    }
    agent = f"run:firstlight-{_slug(lineage.versions.get('firstlight', 'unknown'))}"
    document["agent"][agent] = {
        "prov:type": _typed("prov:SoftwareAgent"),
        "prov:label": f"firstlight {lineage.versions.get('firstlight', '')}".strip(),
        **{f"fl:version-{k}": v for k, v in lineage.versions.items()},
    }
    _relate(document, "wasGeneratedBy", {"prov:entity": name, "prov:activity": activity})
    _relate(document, "wasAssociatedWith", {"prov:activity": activity, "prov:agent": agent})
    for source in (*lineage.inputs, *lineage.masters):
        other = _name(source.path, source.content)
        document["entity"].setdefault(other, _entity(source.path, source.role, source.content))
        weights = {f"fl:{k}": source.facts[k] for k in ("weight", "scale", "rejected") if k in source.facts}
        _relate(
            document, "used",
            {"prov:activity": activity, "prov:entity": other, "prov:role": source.role, **weights},
        )  # fmt: skip
        _relate(
            document, "wasDerivedFrom",
            {"prov:generatedEntity": name, "prov:usedEntity": other, "prov:activity": activity},
        )  # fmt: skip
        _follow(document, source, other)
    for path, reason in lineage.left_out.items():
        other = _name(Path(path), "")
        document["entity"].setdefault(other, _entity(Path(path), "set aside", ""))
        document["entity"][other]["fl:setAside"] = reason


def _follow(document: dict[str, Any], source: Source, name: str) -> None:
    if source.of is not None:
        _add(document, source.of, name)


def _entity(path: Path, kind: str, content: str) -> dict[str, Any]:
    known = {f"fl:{QUICK_HASH}": content} if content else {}
    return {"prov:label": path.name, "prov:location": str(path), "prov:type": kind, **known}


def _relate(document: dict[str, Any], kind: str, relation: dict[str, Any]) -> None:
    document[kind][f"_:{kind}{len(document[kind]) + 1}"] = relation


def _name(path: Path, content: str) -> str:
    return f"run:file-{content}" if content else f"run:file-{_slug(str(path))}"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text).strip("_") or "_"


def _typed(name: str) -> dict[str, str]:
    return {"$": name, "type": "xsd:QName"}


def _value(value: Any) -> Any:
    import json

    return value if isinstance(value, (str, int, float)) else json.dumps(value, sort_keys=True, default=str)
