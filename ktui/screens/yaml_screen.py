"""An object's YAML, live: coloured, foldable, without managedFields unless asked, Secrets decoded on demand."""

from __future__ import annotations

import base64
import binascii
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from ktui.kube.kinds import SECRETS
from ktui.kube.resource import Object
from ktui.kube.yaml_text import to_yaml, without_managed_fields
from ktui.screens.document import DocumentScreen
from ktui.screens.items import Item
from ktui.screens.session import Session
from ktui.widgets.document_view import DocumentView, Paint, StyleOf, plain
from ktui.widgets.split_line import Part
from ktui.widgets.yaml_lines import fold_ranges, painter


def decoded(secret: Object) -> Object:
    """A Secret with its data as text, as it would be written in `stringData`; what is not text stays base64."""
    texts: Object = {}
    rest: Object = {}
    for key, value in (secret.get("data") or {}).items():
        try:
            texts[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            rest[key] = value
    shown = {key: value for key, value in secret.items() if key != "data"}
    return {**shown, **({"data": rest} if rest else {}), **({"stringData": texts} if texts else {})}


class YamlScreen(DocumentScreen):
    """An object as it is stored."""

    WORD: ClassVar[str] = "YAML"
    SUFFIX: ClassVar[str] = ".yaml"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "fold", "Fold", tooltip="Fold or unfold the block under the cursor"),
        Binding("z", "fold_all", "Fold all", show=False, tooltip="Fold everything, or nothing"),
        Binding("m", "managed", "managedFields", tooltip="Show or hide who owns which field"),
        Binding("x", "decode", "Decode", tooltip="A Secret's data as text"),
    ]

    _managed = False
    _paint: Paint = staticmethod(plain)

    def __init__(self, session: Session, item: Item, *, editable: bool = False, decode: bool = False) -> None:
        super().__init__(session, item, editable=editable)
        self._decoded = decode

    async def write(self, obj: Object) -> str:
        if not self._managed:
            obj = without_managed_fields(obj)
        return to_yaml(decoded(obj) if self._decoded else obj)

    def show(self, text: str) -> None:
        lines = text.splitlines()
        self._paint = painter(lines)
        self.view.set_text(text, fold_ranges(lines))

    def make_view(self) -> DocumentView:
        def paint(number: int, line: str, style: StyleOf) -> Text:
            return self._paint(number, line, style)

        return DocumentView(paint, id="document")

    def switches(self) -> list[Part]:
        return [("  decoded", "$text-warning")] if self._decoded else []

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only Secrets are decoded."""
        if action == "decode":
            return self.resource.key == SECRETS.key
        return super().check_action(action, parameters)

    def action_fold(self) -> None:
        self.view.toggle_fold()

    def action_fold_all(self) -> None:
        self.view.fold_all(not self.view.folded)

    def action_managed(self) -> None:
        self._managed = not self._managed
        self.rewrite()

    def action_decode(self) -> None:
        self._decoded = not self._decoded
        self.rewrite()
