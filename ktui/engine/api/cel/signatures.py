"""What operators and functions of CEL take and give. Functions without an entry take and give anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ktui.engine.api.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
    ListType,
    Type,
)

Overload = tuple[Sequence[Type], Type]
"""Types of arguments (the receiver is the first), and of the result."""

_NUMBERS: Final = (INT, UINT, DOUBLE)
_ORDERED: Final[list[Overload]] = [
    *(((one, other), BOOL) for one in _NUMBERS for other in _NUMBERS),
    *(((each, each), BOOL) for each in (BOOL, STRING, BYTES, TIMESTAMP, DURATION)),
]
_ARITHMETIC: Final[list[Overload]] = [((each, each), each) for each in _NUMBERS]
_ANY_LIST: Final = ListType(DYN)

OPERATORS: Final[Mapping[str, Sequence[Overload]]] = {
    **dict.fromkeys(("_<_", "_<=_", "_>_", "_>=_"), _ORDERED),
    "_+_": [
        *_ARITHMETIC,
        ((STRING, STRING), STRING),
        ((BYTES, BYTES), BYTES),
        ((_ANY_LIST, _ANY_LIST), _ANY_LIST),
        ((TIMESTAMP, DURATION), TIMESTAMP),
        ((DURATION, TIMESTAMP), TIMESTAMP),
        ((DURATION, DURATION), DURATION),
    ],
    "_-_": [
        *_ARITHMETIC,
        ((TIMESTAMP, TIMESTAMP), DURATION),
        ((TIMESTAMP, DURATION), TIMESTAMP),
        ((DURATION, DURATION), DURATION),
    ],
    "_*_": _ARITHMETIC,
    "_/_": _ARITHMETIC,
    "_%_": [((INT, INT), INT), ((UINT, UINT), UINT)],
    "!_": [((BOOL,), BOOL)],
    "-_": [((INT,), INT), ((DOUBLE,), DOUBLE)],
    "_&&_": [((BOOL, BOOL), BOOL)],
    "_||_": [((BOOL, BOOL), BOOL)],
}

_TEXT_TEST: Final[list[Overload]] = [((STRING, STRING), BOOL)]
_TEXT: Final[list[Overload]] = [((STRING,), STRING)]

METHODS: Final[Mapping[str, Sequence[Overload]]] = {
    "contains": _TEXT_TEST,
    "startsWith": _TEXT_TEST,
    "endsWith": _TEXT_TEST,
    "matches": _TEXT_TEST,
    "lowerAscii": _TEXT,
    "upperAscii": _TEXT,
    "trim": _TEXT,
    "find": [((STRING, STRING), STRING)],
    "charAt": [((STRING, INT), STRING)],
    "format": [((STRING, _ANY_LIST), STRING)],
    "replace": [((STRING, STRING, STRING), STRING), ((STRING, STRING, STRING, INT), STRING)],
    "split": [((STRING, STRING), ListType(STRING)), ((STRING, STRING, INT), ListType(STRING))],
    "substring": [((STRING, INT), STRING), ((STRING, INT, INT), STRING)],
    "join": [((ListType(STRING),), STRING), ((ListType(STRING), STRING), STRING)],
    "allowed": [((DYN,), BOOL)],
    "reason": [((DYN,), STRING)],
    "hasValue": [((DYN,), BOOL)],
    "isSorted": [((_ANY_LIST,), BOOL)],
}
FUNCTIONS: Final[Mapping[str, Type]] = {
    "int": INT,
    "uint": UINT,
    "double": DOUBLE,
    "string": STRING,
    "bool": BOOL,
    "bytes": BYTES,
    "timestamp": TIMESTAMP,
    "duration": DURATION,
    "size": INT,
    "type": TYPE,
    "dyn": DYN,
    "isURL": BOOL,
    "isIP": BOOL,
    "isCIDR": BOOL,
    "isQuantity": BOOL,
    "matches": BOOL,
}
"""What functions that take one value of several types give."""
BUILT_IN: Final = frozenset(
    [
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getFullYear",
        "getHours",
        "getMilliseconds",
        "getMinutes",
        "getMonth",
        "getSeconds",
        "size",
        "contains",
        "startsWith",
        "endsWith",
        "matches",
        "hasValue",
        "value",
        "orValue",
        "or",
        "optMap",
        "optFlatMap",
        "bind",
        "of",
        "none",
        "ofNonZeroValue",
        "min",
        "max",
    ]
)
"""Methods the library has besides those of `functions`."""
TYPE_NAMES: Final = frozenset(
    [
        "int",
        "uint",
        "double",
        "bool",
        "string",
        "bytes",
        "list",
        "map",
        "null_type",
        "type",
        "optional",
        "cel",
        "sets",
        "math",
        "base64",
        "strings",
        "lists",
        "google",
        "ip",
        "cidr",
        "regex",
        "jsonpatch",
    ]
)
"""Names that stand for types, and for namespaces of functions."""
