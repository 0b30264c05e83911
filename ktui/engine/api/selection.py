"""Label and field selectors of a request, compiled to one question asked of encoded objects.

Names and namespaces are answered from the store's key, labels from a partial decode; only selectors on other
fields decode the object.
"""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.documents import decode, encode, labels_of
from ktui.engine.store.base import Key
from ktui.kube.errors import bad_request
from ktui.kube.selector import FieldSelector, Selector, SelectorError


def selected(field_selector: str, field: str) -> str:
    """The one value a field selector asks of a field; empty if it asks no such thing or can't be read."""
    if field not in field_selector:
        return ""
    try:
        return FieldSelector.parse(field_selector).exact(field) or ""
    except SelectorError:
        return ""


_KEY_FIELDS = ("metadata.name", "metadata.namespace")


class Selection:
    """Which objects of a kind a list, watch or deletecollection is about."""

    __slots__ = ("_by_key", "_by_value", "_labels", "_needles", "everything", "name", "namespace")

    def __init__(self, declaration: Declaration, label_selector: str, field_selector: str) -> None:
        try:
            labels = Selector.parse(label_selector)
            fields = FieldSelector.parse(field_selector)
        except SelectorError as error:
            raise bad_request(str(error)) from error
        known = declaration.selectable_fields
        for requirement in fields.requirements:
            if requirement.field not in _KEY_FIELDS and requirement.field not in known:
                raise bad_request(f"field label not supported: {requirement.field}")
        self._labels = labels
        self._needles = [
            encode({r.key: r.values[0]})[1:-1]
            for r in labels.requirements
            if r.operator in ("=", "==", "in") and len(r.values) == 1
        ]
        self._by_key = [r for r in fields.requirements if r.field in _KEY_FIELDS]
        self._by_value = [
            (known[r.field], r.operator == "=", r.value)
            for r in fields.requirements
            if r.field not in _KEY_FIELDS
        ]
        self.name = fields.exact("metadata.name")
        self.namespace = fields.exact("metadata.namespace")
        self.everything = labels.empty and fields.empty

    def matches(self, key: Key, data: bytes) -> bool:
        """Is the object stored as `data` under `key` selected?"""
        for requirement in self._by_key:
            value = key.name if requirement.field == "metadata.name" else key.namespace
            if (value == requirement.value) != (requirement.operator == "="):
                return False
        if not self._labels.empty:
            # Most objects that don't match lack the very text of a label, which is found out without decoding.
            for needle in self._needles:
                if needle not in data:
                    return False
            if not self._labels.matches(labels_of(data)):
                return False
        if self._by_value:
            obj = decode(data)
            return all((value_of(obj) == value) == equal for value_of, equal, value in self._by_value)
        return True
