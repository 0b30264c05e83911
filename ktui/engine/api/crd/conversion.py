"""Custom resources between the versions of their definition, by its webhook (`ConversionReview`).

In: objects as the store keeps them, or as a version serves them. Out: the same objects in the other version, in
order. Of metadata a webhook may change labels and annotations only; what it gets wrong fails the request in
kube-apiserver's words. What was converted is remembered by the stored bytes, so that lists and watches ask once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast

import msgspec

from ktui.engine.api.admission.webhooks.calling import CallError, WebhookCaller
from ktui.engine.api.documents import decode, encode, metadata_of
from ktui.engine.api.schema import OBJECT_META
from ktui.engine.api.validation.metadata import check_annotations, check_labels
from ktui.engine.api.validation.structure import validate_schema
from ktui.kube.data import section, string, strings
from ktui.kube.errors import StatusError, status
from ktui.kube.resource import Object

GROUP: Final = "apiextensions.k8s.io"
REVIEW_VERSIONS: Final = ("v1", "v1beta1")
"""Versions of ConversionReview that a webhook may ask for; the first one it names is what it gets."""
_SECONDS: Final = 30
_MOST_BYTES: Final = 1024 * 1024
"""Of objects in one question: the answer may be three times as long."""
_REMEMBERED: Final = 4096

Prune = Callable[[Object], Object]


class ConversionError(Exception):
    """What a webhook answered is no conversion."""


class ConversionWebhook:
    """The webhook of one definition."""

    def __init__(self, caller: WebhookCaller, definition: Object) -> None:
        webhook = section(definition, "spec", "conversion", "webhook")
        self._caller = caller
        self.client_config = section(webhook, "clientConfig")
        self.seconds = _SECONDS
        asked = strings(webhook, "conversionReviewVersions")
        version = next((version for version in asked if version in REVIEW_VERSIONS), REVIEW_VERSIONS[0])
        self._review: Final = f"{GROUP}/{version}"

    async def convert(self, objects: Sequence[bytes], api_version: str) -> list[Object]:
        """The objects in a version; those that are in it already are not sent. Raises StatusError."""
        found = [decode(data) for data in objects]
        others = [index for index, obj in enumerate(found) if obj.get("apiVersion") != api_version]
        for part in _parts(others, objects):
            sent = [found[index] for index in part]
            answers = await self._asked([objects[index] for index in part], sent[0], api_version)
            for index, original, (place, answer) in zip(part, sent, enumerate(answers), strict=True):
                found[index] = _checked(original, answer, api_version, place)
        return found

    async def _asked(self, objects: Sequence[bytes], first: Object, api_version: str) -> list[Any]:
        uid = str(uuid.uuid4())
        request = {
            "uid": uid,
            "desiredAPIVersion": api_version,
            "objects": [msgspec.Raw(data) for data in objects],
        }
        review: Object = {"kind": "ConversionReview", "apiVersion": self._review, "request": request}
        try:
            answers = self._answers(await self._caller.call(self, review), uid)
        except (CallError, ConversionError) as error:
            raise _failed(first, f"failed: {error}") from error
        if len(answers) != len(objects):
            raise _failed(first, f"returned {len(answers)} objects, expected {len(objects)}")
        return answers

    def _answers(self, review: Object, uid: str) -> list[Any]:
        """The objects of an answer to the question of this uid."""
        if (review.get("apiVersion"), review.get("kind")) != (self._review, "ConversionReview"):
            found = f"{review.get('apiVersion') or ''}, Kind={review.get('kind') or ''}"
            raise ConversionError(
                f"expected webhook response of {self._review}, Kind=ConversionReview, got {found}"
            )
        answer = review.get("response")
        if not isinstance(answer, dict):
            raise ConversionError("no response provided")
        response = cast("Object", answer)
        if response.get("uid") != uid and self._review.endswith("/v1"):
            raise ConversionError(f'expected response.uid="{uid}", got "{string(response, "uid")}"')
        result = section(response, "result")
        if result.get("status") != "Success":
            why = f"response.result.status was '{string(result, 'status')}', not 'Success'"
            raise ConversionError(string(result, "message") or why)
        converted = response.get("convertedObjects")
        return cast("list[Any]", converted) if isinstance(converted, list) else []


class WebhookConversion:
    """What `Custom.conversion` asks of a version: to and from the stored one."""

    def __init__(
        self,
        webhook: ConversionWebhook,
        served: tuple[str, Prune],
        kept: tuple[str, Prune],
    ) -> None:
        """`served` and `kept`: the apiVersions objects have for clients and in the store, and what prunes them."""
        self._webhook = webhook
        self._served, self._prune_served = served
        self._kept, self._prune_kept = kept
        self._known: dict[bytes, bytes] = {}

    async def shown(self, data: Sequence[bytes]) -> Sequence[bytes]:
        """Stored objects in the served version."""
        fresh = {each: self._known[each] for each in data if each in self._known}
        unknown = [each for each in dict.fromkeys(data) if each not in fresh]
        for stored, obj in zip(unknown, await self._webhook.convert(unknown, self._served), strict=True):
            same = decode(stored).get("apiVersion") == self._served
            fresh[stored] = stored if same else encode(self._prune_served(obj))
        if len(self._known) + len(unknown) > _REMEMBERED:
            self._known.clear()
        self._known |= fresh
        return [fresh[each] for each in data]

    async def stored(self, obj: Object) -> Object:
        """A served object in the version it is stored in."""
        [converted] = await self._webhook.convert([encode(obj)], self._kept)
        return self._prune_kept(converted)


def _parts(indexes: Sequence[int], objects: Sequence[bytes]) -> Iterator[list[int]]:
    """Indexes in questions that are not too long."""
    part: list[int] = []
    size = 0
    for index in indexes:
        if part and size + len(objects[index]) > _MOST_BYTES:
            yield part
            part, size = [], 0
        part.append(index)
        size += len(objects[index])
    if part:
        yield part


def _checked(original: Object, answer: Any, api_version: str, place: int) -> Object:
    """The converted object with the metadata of the original, but for its labels and annotations."""
    returned = f"returned invalid converted object at index {place}"
    if not isinstance(answer, dict):
        raise _failed(original, f"{returned}: it is not an object")
    converted = cast("Object", answer)
    if converted.get("apiVersion") != api_version:
        why = f"invalid groupVersion (expected {api_version}, received {converted.get('apiVersion') or ''})"
        raise _failed(original, f"{returned}: {why}")
    if converted.get("kind") != original.get("kind"):
        why = f"invalid kind (expected {original.get('kind')}, received {converted.get('kind') or ''})"
        raise _failed(original, f"{returned}: {why}")
    after, before = section(converted, "metadata"), metadata_of(original)
    for field, word in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        if (after.get(field) or "") != (before.get(field) or ""):
            why = f"must have the same {word}: {before.get(field) or ''} != {after.get(field) or ''}"
            raise _failed(original, f"{returned}: {why}")
    kept = {field: value for field, value in before.items() if field not in ("labels", "annotations")}
    changed = {field: after[field] for field in ("labels", "annotations") if after.get(field)}
    if causes := validate_schema(OBJECT_META, changed).causes or [
        *check_labels(changed.get("labels"), "labels"),
        *check_annotations(changed.get("annotations"), "annotations"),
    ]:
        listed = ", ".join(f"metadata.{cause.field}: {cause.message}" for cause in causes)
        raise _failed(original, f"returned invalid metadata in object at index {place}: {listed}")
    return {**converted, "metadata": {**kept, **changed}}


def _failed(obj: Object, why: str) -> StatusError:
    kind = f"{obj.get('apiVersion')}, Kind={obj.get('kind')}"
    return StatusError(status(500, "", f"conversion webhook for {kind} {why}"))
