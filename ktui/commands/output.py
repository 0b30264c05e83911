"""How objects are printed: tables as kubectl lays them out, YAML, JSON, names, JSONPath, custom columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ktui.commands.session import UserError
from ktui.kube.jsonpath import JSONPath, JSONPathError
from ktui.kube.resource import Object, Resource
from ktui.kube.yaml_text import to_yaml, without_managed_fields

_PADDING = 3
_FORMATS = "json, yaml, name, wide, jsonpath=…, jsonpath-file=…, custom-columns=…, custom-columns-file=…"


def is_table(output: str) -> bool:
    """Whether a format is printed from the server's table."""
    return output in ("", "wide")


def print_table(
    tables: Sequence[tuple[str, Object]], *, wide: bool, with_namespace: bool, headers: bool = True
) -> str:
    """Tables of one or several kinds; a prefix (`pod.`…) goes before names where kinds are mixed."""
    blocks: list[str] = []
    for prefix, table in tables:
        lines = table_lines(table, wide=wide, with_namespace=with_namespace, prefix=prefix)
        if not headers:
            lines = lines[1:]
        blocks.append(columns(lines))
    return "\n".join(blocks)


def table_lines(table: Object, *, wide: bool, with_namespace: bool, prefix: str = "") -> list[list[str]]:
    """A header line and a line a row, as cells of text."""
    definitions: Sequence[Object] = table["columnDefinitions"]
    shown = [index for index, column in enumerate(definitions) if wide or not column.get("priority")]
    header = [definitions[index]["name"].upper() for index in shown]
    lines = [(["NAMESPACE"] if with_namespace else []) + header]
    for row in table.get("rows") or ():
        cells = [_cell(row["cells"][index]) for index in shown]
        if prefix:
            cells[0] = f"{prefix}/{cells[0]}"
        if with_namespace:
            cells.insert(0, row["object"]["metadata"].get("namespace") or "")
        lines.append(cells)
    return lines


def _cell(value: Any) -> str:
    if value is None:
        return "<none>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).split("\n", 1)[0]


def columns(lines: Sequence[Sequence[str]], padding: int = _PADDING) -> str:
    """Lines of cells aligned as kubectl's tabwriter aligns them; ends with a newline unless empty."""
    if not lines:
        return ""
    widths = [
        max(len(line[index]) if index < len(line) else 0 for line in lines) for index in range(len(lines[0]))
    ]
    text = ""
    for line in lines:
        padded = [cell.ljust(width + padding) for cell, width in zip(line[:-1], widths, strict=False)]
        text += "".join((*padded, line[-1])).rstrip() + "\n"
    return text


def printer(output: str, *, show_managed_fields: bool = False) -> Callable[[Object, Resource | None], str]:
    """A function that prints one object (or a `List`) in a format. Raises UserError for unknown formats."""
    kind, equals, argument = output.partition("=")

    def shown(obj: Object) -> Object:
        return obj if show_managed_fields else without_managed_fields(obj)

    match kind:
        case "json":
            return lambda obj, _: to_json(shown(obj), sort_keys=True)
        case "yaml":
            return lambda obj, _: to_yaml(shown(obj))
        case "name":
            return lambda obj, resource: "".join(f"{name_of(item, resource)}\n" for item in _items(obj))
        case "jsonpath" | "jsonpath-as-json" | "jsonpath-file" if equals:
            template = _template(argument if kind != "jsonpath-file" else Path(argument).read_text())
            if kind == "jsonpath-as-json":
                return lambda obj, _: to_json(template.find(obj))
            return lambda obj, _: template.render(obj)
        case "custom-columns" if equals:
            return _custom_columns(argument)
        case "custom-columns-file" if equals:
            names, paths = (line.split() for line in Path(argument).read_text().strip().splitlines()[:2])
            return _custom_columns(
                ",".join(f"{name}:{path}" for name, path in zip(names, paths, strict=True))
            )
        case _:
            raise UserError(f"unknown output format {output!r}; there are {_FORMATS}")


_GO_ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def to_json(value: Any, *, sort_keys: bool = False) -> str:
    """Indented JSON as Go writes it: `<`, `>` and `&`, which stand in strings only, are escaped."""
    text = json.dumps(value, indent=4, sort_keys=sort_keys, ensure_ascii=False)
    return text.translate(_GO_ESCAPES) + "\n"


def _template(text: str) -> JSONPath:
    try:
        return JSONPath(text)
    except JSONPathError as error:
        raise UserError(f"error parsing jsonpath {text}, {error}") from None


def _custom_columns(spec: str) -> Callable[[Object, Resource | None], str]:
    pairs = [part.partition(":") for part in spec.split(",")]
    if not all(name and path for name, _, path in pairs):
        raise UserError(f"custom-columns takes NAME:PATH[,NAME:PATH…], found {spec!r}")
    header = [name for name, _, _ in pairs]
    paths = [_template(path if path.startswith("{") else "{" + path + "}") for _, _, path in pairs]

    def print_rows(obj: Object, _: Resource | None) -> str:
        rows = [[_custom_cell(path.find(item)) for path in paths] for item in _items(obj)]
        return columns([header, *rows])

    return print_rows


def _custom_cell(values: Sequence[Any]) -> str:
    return (
        ",".join(_cell(value) if not isinstance(value, dict) else _go_map(value) for value in values)
        or "<none>"
    )


def _go_map(value: dict[str, Any]) -> str:
    return "map[" + " ".join(f"{key}:{_cell(item)}" for key, item in sorted(value.items())) + "]"


def _items(obj: Object) -> Iterable[Object]:
    return obj["items"] if obj.get("kind") == "List" and "items" in obj else [obj]


def name_of(obj: Object, resource: Resource | None = None) -> str:
    """`deployment.apps/web`, as `-o name` prints it."""
    group, _, _ = str(obj.get("apiVersion") or "").rpartition("/")
    singular = (resource.singular if resource else "") or str(obj.get("kind") or "").lower()
    return (
        f"{singular}.{group}/{obj['metadata']['name']}" if group else f"{singular}/{obj['metadata']['name']}"
    )


def as_list(items: Sequence[Object]) -> Object:
    """A v1 `List`, as kubectl wraps what it prints several of."""
    return {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": list(items)}
