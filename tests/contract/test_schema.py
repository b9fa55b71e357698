"""The committed JSON Schema is that of the contract."""

from __future__ import annotations

import importlib.util
from pathlib import Path

FOLDER = Path(__file__).parent.parent.parent / "contract" / "schema"


def test_committed_schemas_are_those_of_the_contract() -> None:
    """Who changes what travels runs `make schema` and sees the difference in the commit."""
    spec = importlib.util.spec_from_file_location("generate", FOLDER / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)

    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}

    assert committed == generate.schemas()
