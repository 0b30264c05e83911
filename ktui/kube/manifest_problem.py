"""What is wrong with a manifest, at its place in the file: the form in which every part tells of it.

In: a document with its positions, and what a reader or the API has against it. Out: `Problem`s, a line each, in the
form every editor can jump to. The watched folder keeps them in its records, the command line prints them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ktui.kube.errors import Cause, StatusError
from ktui.kube.manifest import Document, ManifestError, Position
from ktui.kube.resource import Object

_STRICT = re.compile(r'(unknown field|duplicate field) "([^"]+)"')
"""What kube-apiserver has to say of fields under strict validation: it names them in the message only."""
_UNDECLARED = re.compile(r"\.(\S+): field not declared in schema")
"""The same of a configuration that is applied."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a file, where an editor can jump to it."""

    message: str
    position: Position
    field: str = ""

    @classmethod
    def of(cls, error: ManifestError) -> Problem:
        """Text that can't be read as objects."""
        return cls(error.message, error.position, error.path)

    @classmethod
    def in_field(cls, document: Document, field: str, message: str) -> Problem:
        """Something about a field, or about its nearest ancestor that is there."""
        return cls(message, document.locate(field), field)

    def to_object(self) -> Object:
        return {
            "line": self.position.line,
            "column": self.position.column,
            "field": self.field,
            "message": self.message,
        }

    def at(self, path: str) -> str:
        """`path:line:column: field: message`."""
        where = f"{path}:{self.position.line}:{self.position.column}"
        return f"{where}: {self.field}: {self.message}" if self.field else f"{where}: {self.message}"


def explain(document: Document, error: StatusError) -> tuple[Problem, ...]:
    """An API error in terms of the file it refuses: one problem for each cause, and at least one."""
    causes = [cause for cause in error.causes if cause.field or cause.message]
    if not causes:
        causes = [Cause(path, "", f'{what} "{path}"') for what, path in _STRICT.findall(error.message)]
        causes += [Cause(path, "", f'unknown field "{path}"') for path in _UNDECLARED.findall(error.message)]
    if not causes:
        return (Problem(error.message, document.position),)
    return tuple(Problem.in_field(document, cause.field, cause.message) for cause in causes)
