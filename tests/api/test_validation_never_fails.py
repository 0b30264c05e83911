"""Whatever decodes is defaulted, checked and printed without an exception, however odd it is."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from kind_cases import REGISTRY

from ktui.client.base import DeleteOptions
from ktui.engine.api import schema
from ktui.engine.api.documents import encode
from ktui.engine.api.table import table
from ktui.engine.api.validation.structure import validate_schema
from ktui.kube.data import section
from ktui.kube.errors import invalid

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = [
    "",
    "a",
    "A_b",
    "a.b/c",
    "a/b/c",
    "..",
    "../x",
    "/abs",
    "In",
    "Exists",
    "Always",
    "10.0.0.1",
    "é",
    "x" * 300,
]
NUMBERS = [0, 1, -1, 80, 65536, 2**31 - 1]
QUANTITIES = ["0", "1", "-1", "100m", "1Gi", "1e3", "1n", 0.5]
TIMES = ["2026-01-01T00:00:00Z", "2020-02-29T12:00:00+02:00"]


def odd(node: schema.Definition, dice: random.Random, depth: int = 0) -> Any:
    """A value of the right type, with values nobody would write."""
    name = schema.reference(node)
    if name == schema.QUANTITY:
        return dice.choice(QUANTITIES)
    if name == schema.INT_OR_STRING:
        return dice.choice([*NUMBERS, *TEXTS, "25%", "200%"])
    if name in (schema.TIME, schema.MICRO_TIME):
        return dice.choice(TIMES)
    node = schema.load().resolve(node)
    if dice.random() < 0.03:
        return None
    match node.get("type"):
        case "object" if "properties" in node:
            share = 0.5 if depth < 4 else 0.25
            return {
                field: odd(declared, dice, depth + 1)
                for field, declared in node["properties"].items()
                if dice.random() < share and depth < 12
            }
        case "object":
            declared = node.get("additionalProperties") or {"type": "string"}
            keys = ["cpu", "memory", "hugepages-2Mi", "hugepages-x", "example.com/gpu", "a b", ""]
            return {key: odd(declared, dice, depth + 1) for key in dice.sample(keys, dice.randrange(3))}
        case "array":
            return [odd(node["items"], dice, depth + 1) for _ in range(dice.randrange(3))]
        case "string" if node.get("format") == "byte":
            return dice.choice(["", "eA==", "e30="])
        case "integer":
            return dice.choice(NUMBERS)
        case "number":
            return dice.choice([0, 1.5])
        case "boolean":
            return dice.random() < 0.5
        case _:
            return dice.choice(TEXTS)


@pytest.mark.parametrize("kind", [declaration.resource.plural for declaration in REGISTRY])
@pytest.mark.parametrize("seed", range(4))
def test_no_object_is_too_odd(kind: str, seed: int) -> None:
    declaration = REGISTRY.find(kind)
    assert declaration is not None
    definition = {"$ref": f"#/definitions/{declaration.schema}"}
    dice = random.Random(f"{kind} {seed}")
    previous: dict[str, Any] = {}
    for _ in range(25):
        report = validate_schema(declaration.schema, odd(definition, dice) or {})
        assert not report.causes, report.causes
        assert not report.unknown_fields
        assert validate_schema(declaration.schema, report.object).object == report.object
        made = declaration.default(report.object)
        assert declaration.default(made) == made
        made = declaration.prepare_create(made)
        causes = [*declaration.validate_create(made)]
        old = previous or made
        causes += declaration.validate_update(declaration.prepare_update(made, old), old)
        declaration.prepare_status(made, old)
        assert invalid(declaration.resource, "x", causes or []).code == 422
        assert table(declaration, map(encode, (made, report.object)), NOW).rows
        for read in declaration.selectable_fields.values():
            assert isinstance(read(made), str)
        if declaration.grace_period is not None:
            assert declaration.grace_period(made, DeleteOptions()) >= 0
        assert section(made, "metadata") is not None
        previous = made
