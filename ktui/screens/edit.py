"""Editing an object in the user's editor: again and again until it is saved, unchanged or given up.

In: a session and an `Item`. Out: a patch of just the difference, checked against the version it was made on. What
is wrong comes back as comments at the top of the file; a conflict puts the user's changes onto the new version
first. Nothing that was typed is lost: when an edit ends without being saved, the file stays and its path is told.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.app import App

from ktui.client.base import Client, WriteOptions
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object, Resource
from ktui.screens import edit_text
from ktui.screens.edit_text import EditError
from ktui.screens.outside import edit_file

_MANAGER = "ktui-edit"


@dataclass(frozen=True, slots=True)
class EditResult:
    """How an edit ended, in words; `kept` is the file when something unsaved is in it."""

    message: str
    saved: bool = False
    kept: Path | None = None


class Edit:
    """One edit of one object."""

    def __init__(self, app: App[Any], client: Client, resource: Resource, name: str, namespace: str) -> None:
        self._app = app
        self._client = client
        self._resource = resource
        self._name = name
        self._namespace = namespace

    @property
    def _title(self) -> str:
        return f"{self._resource.singular or self._resource.kind.lower()}/{self._name}"

    async def run(self) -> EditResult:
        """Edit until done. Raises StatusError when the object can't be read, OSError without an editor."""
        base = await self._client.get(self._resource, self._name, self._namespace)
        path = _new_file(self._name)
        first = edit_text.edit_text(base)
        path.write_text(first, encoding="utf-8")
        rebased = False
        problems: list[str] = []
        while True:
            try:
                written = await edit_file(self._app, path)
            except OSError:
                if not problems and path.read_text(encoding="utf-8") == first:
                    path.unlink(missing_ok=True)
                raise
            text = path.read_text(encoding="utf-8")
            if not written and problems:
                return EditResult(f"Edit of {self._title} cancelled: {problems[0]}", kept=path)
            try:
                after = edit_text.read_edit(text, base)
                if after is None:
                    path.unlink(missing_ok=True)
                    return EditResult("Edit cancelled, saved file was empty.")
                patch = edit_text.user_patch(base, after)
                if not patch and not rebased:
                    path.unlink(missing_ok=True)
                    return EditResult("Edit cancelled, no changes made.")
                if patch:
                    await self._save(base, patch)
            except EditError as error:
                problems = [str(error)]
            except StatusError as error:
                if error.is_not_found:
                    return EditResult(f"{self._title} is gone; the edit was not saved", kept=path)
                if error.is_conflict:
                    base, body, problems = await self._rebase(base, edit_text.read_edit(text, base) or {})
                    rebased = True
                    path.write_text(edit_text.with_problems(body, problems), encoding="utf-8")
                    continue
                problems = error_lines(error)
            except OSError as error:
                return EditResult(f"{self._title} was not saved: {error}", kept=path)
            else:
                path.unlink(missing_ok=True)
                return EditResult(f"Edited {self._title}", saved=True)
            path.write_text(
                edit_text.with_problems(edit_text.without_header(text), problems), encoding="utf-8"
            )

    async def _save(self, base: Object, patch: Object) -> None:
        """Write the difference; a conflict over nothing but the status is none."""
        options = WriteOptions(field_manager=_MANAGER, field_validation="Strict")
        for last in (False, False, False, True):
            version = base["metadata"]["resourceVersion"]
            metadata = {**(patch.get("metadata") or {}), "resourceVersion": version}
            try:
                await self._client.patch(
                    self._resource,
                    self._name,
                    {**patch, "metadata": metadata},
                    self._namespace,
                    options=options,
                )
                return
            except StatusError as error:
                if last or not error.is_conflict:
                    raise
                fresh = await self._client.get(self._resource, self._name, self._namespace)
                if edit_text.changed_paths(base, fresh):
                    raise
                base = fresh

    async def _rebase(self, base: Object, after: Object) -> tuple[Object, str, list[str]]:
        """The newest version with the user's changes on it, and what others changed meanwhile."""
        fresh = await self._client.get(self._resource, self._name, self._namespace)
        theirs = edit_text.changed_paths(base, fresh)
        merged = edit_text.apply_merge_patch(fresh, edit_text.user_patch(base, after))
        problems = [
            f"{self._title} was changed by someone else while you edited it",
            *(f"  {line}" for line in theirs[:20]),
            "Below is the new version with your changes on it. Save the file to apply it.",
        ]
        return fresh, edit_text.to_yaml(edit_text.without_managed_fields(merged)), problems


def error_lines(error: StatusError) -> list[str]:
    """An API error for the head of the file: its message, then each field that is wrong."""
    causes = [f"* {cause.field}: {cause.message}" for cause in error.causes if cause.field]
    return [error.message.splitlines()[0], *causes] if len(causes) > 1 else [error.message]


def _new_file(name: str) -> Path:
    descriptor, path = tempfile.mkstemp(prefix=f"ktui-edit-{name[:40]}-", suffix=".yaml")
    os.close(descriptor)
    return Path(path)
