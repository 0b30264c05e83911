"""What a client wants an answer to look like: its `Accept` header against what the server can make.

The server speaks JSON and YAML. A client may ask for objects as a `Table` or as metadata only; of the clauses
of a header the best that the server can make wins, the earlier of two that are equally good.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ktui.kube.errors import StatusError, status

JSON, YAML = "application/json", "application/yaml"
TABLE, PARTIAL, PARTIAL_LIST = "Table", "PartialObjectMetadata", "PartialObjectMetadataList"
_META = "meta.k8s.io"
_VERSIONS = ("v1", "v1beta1")


@dataclass(frozen=True, slots=True)
class Representation:
    """The form of an answer: its media type, and what the objects in it are turned into ("": nothing)."""

    media_type: str = JSON
    kind: str = ""
    version: str = "v1"


@dataclass(frozen=True, slots=True)
class Clause:
    """One media range of an `Accept` header."""

    media_type: str
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    quality: float = 1.0


def clauses(accept: str) -> list[Clause]:
    """The clauses of a header, the best first; ones that can't be read are left out."""
    found: list[Clause] = []
    for part in accept.split(","):
        media_type, *rest = (piece.strip() for piece in part.split(";"))
        if "/" not in media_type:
            continue
        parameters = {
            name.strip().lower(): value.strip().strip('"')
            for name, _, value in (piece.partition("=") for piece in rest)
        }
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            continue
        if quality > 0:
            found.append(Clause(media_type.lower(), parameters, quality))
    return sorted(found, key=lambda clause: -clause.quality)


def wanted(accept: str, *kinds: str, media_types: tuple[str, ...] = (JSON, YAML)) -> Representation:
    """The best form that can be made; `kinds` are what objects can be turned into here. Raises 406."""
    if accept in ("", "*/*", JSON):
        return Representation()
    for clause in clauses(accept):
        media_type = _media_type(clause.media_type, media_types)
        if media_type is None:
            continue
        kind = clause.parameters.get("as", "")
        if not kind:
            return Representation(media_type)
        version = clause.parameters.get("v", "")
        if clause.parameters.get("g") == _META and version in _VERSIONS and kind in kinds:
            return Representation(media_type, kind, version)
    raise not_acceptable(media_types)


def wants_discovery(accept: str) -> bool:
    """Whether aggregated discovery (`apidiscovery.k8s.io/v2`) is the best the client asks for."""
    for clause in clauses(accept):
        if _media_type(clause.media_type, (JSON,)) is None:
            continue
        parameters = clause.parameters
        if not parameters.get("as"):
            return False
        if parameters["as"] == "APIGroupDiscoveryList" and parameters.get("v") == "v2":
            return True
    return False


def not_acceptable(media_types: tuple[str, ...]) -> StatusError:
    listed = ", ".join(media_types)
    return StatusError(status(406, "NotAcceptable", f"only the following media types are accepted: {listed}"))


def _media_type(asked: str, offered: tuple[str, ...]) -> str | None:
    if asked in offered:
        return asked
    if asked == "*/*":
        return offered[0]
    main, _, sub = asked.partition("/")
    if sub == "*":
        return next((media_type for media_type in offered if media_type.startswith(f"{main}/")), None)
    return None
