"""The schema that is shipped is the one the script extracts from Kubernetes' published definitions."""

import gzip
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from ktui.engine.api import schema

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("extract_schema", ROOT / "scripts" / "extract_schema.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_makes_the_file_that_is_shipped(script: ModuleType, tmp_path: Path, monkeypatch) -> None:
    shipped = script.OUTPUT.read_bytes()
    monkeypatch.setattr(script, "OUTPUT", tmp_path / "openapi.json.gz")
    assert script.main() == 0
    assert json.loads(gzip.decompress(script.OUTPUT.read_bytes())) == json.loads(gzip.decompress(shipped))


def test_rewrites_of_the_source_are_undone(script: ModuleType) -> None:
    name = "io.k8s.api.core.v1.Sample"
    given = {
        "type": ["object", "null"],
        "required": ["a"],
        "properties": {
            "kind": {"type": ["string", "null"], "enum": ["Sample"]},
            "type": {"$ref": "#/$defs/io.k8s.Other"},
            "a": {"type": "array", "items": {"type": ["integer", "null"], "format": "int32"}},
            "b": {"type": ["object", "null"], "additionalProperties": {"$ref": "#/$defs/io.k8s.Other"}},
        },
    }
    assert script.restored(given, name) == {
        "type": "object",
        "required": ["a"],
        "properties": {
            "kind": {"type": "string"},
            "type": {"$ref": "#/definitions/io.k8s.Other"},
            "a": {"type": "array", "items": {"type": "integer", "format": "int32"}},
            "b": {"type": "object", "additionalProperties": {"$ref": "#/definitions/io.k8s.Other"}},
        },
    }
    assert script.references(given) == ["io.k8s.Other", "io.k8s.Other"]


def test_every_reference_leads_somewhere(script: ModuleType) -> None:
    definitions = schema.load().definitions
    for name, definition in definitions.items():
        for target in script.references(definition):
            assert target in definitions, f"{name} refers to {target}"
