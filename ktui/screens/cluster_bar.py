"""The header: which cluster and namespace, how many nodes and pods, load, and whether what you see is live."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from textual import work

from ktui.kube.kinds import MANIFEST_FILES
from ktui.kube.resource import Object
from ktui.screens.cluster_status import ClusterStatus, read_status
from ktui.screens.live_table import Link
from ktui.screens.manifest_files import follow_records, summarize
from ktui.screens.session import Session
from ktui.widgets.split_line import Part, SplitLine

_EVERY_SECONDS = 5.0
_PATIENCE_SECONDS = 4.0
"""How long the numbers may take before the header says that the cluster does not answer."""
_LINKS: dict[Link, Part] = {
    Link.LOADING: (" ◌ loading", "$text-muted"),
    Link.LIVE: (" ● live", "$text-success"),
    Link.RECONNECTING: (" ◌ reconnecting", "$text-warning bold"),
    Link.REFUSED: (" ✗ refused", "$text-error bold"),
}

_SILENT: Part = (" ◌ no answer", "$text-warning bold")


class ClusterBar(SplitLine):
    """One line; numbers are read every few seconds, what concerns the manifests is told as it happens."""

    def __init__(self, session: Session) -> None:
        super().__init__(id="cluster-bar")
        self._session = session
        self.status = ClusterStatus()
        self._link = Link.LOADING
        self._folder = ""
        self._silent = False

    def on_mount(self) -> None:
        self.set_interval(_EVERY_SECONDS, self.read)
        self._draw()

    def show_link(self, link: Link) -> None:
        self._link = link
        self._draw()

    def show_namespace(self) -> None:
        self._draw()

    def start(self) -> None:
        """A cluster is there."""
        self.read()
        self._follow_files()

    @work(exclusive=True, group="files")
    async def _follow_files(self) -> None:
        session = self._session
        if session.connection is not None and session.catalog.find(MANIFEST_FILES.key) is not None:
            await follow_records(session.client, self._show_files)

    def _show_files(self, records: Sequence[Object]) -> None:
        notice = summarize(records).notice
        if notice != self._folder:
            self._folder = notice
            self._draw()

    @work(exclusive=True, group="status")
    async def read(self) -> None:
        """Read the numbers now."""
        if self._session.connection is None or not self.screen.is_current:
            return
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                self.status = await read_status(self._session.client, self._session.catalog)
        except TimeoutError:
            self._silent = True
        else:
            self._silent = False
        if self.status.namespaces:
            self._session.namespaces = list(self.status.namespaces)
        self._draw()

    def _draw(self) -> None:
        connection = self._session.connection
        left: list[Part] = [("ktui ", "bold")]
        if connection is None:
            self.show([*left, ("starting…", "$text-muted")])
            return
        if connection.context != "ktui":
            left += [(connection.context, "$text-accent bold"), " "]
        left += [(" ns ", "$text-muted"), (self._session.namespace or "all", "bold")]
        if connection.runtime == "sim":
            left.append(("  SIMULATION: pods run nowhere", "$text-warning bold"))
        if self._folder:
            left.append((f"  ! {self._folder}", "$text-warning bold"))
        silent = self._silent and self._link in (Link.LIVE, Link.LOADING)
        self.show(left, [*self._numbers(), _SILENT if silent else _LINKS[self._link]])

    def _numbers(self) -> list[Part]:
        status = self.status
        parts: list[Part] = []
        for name, percent in (("cpu", status.cpu_percent), ("mem", status.memory_percent)):
            if percent is not None:
                style = "$text-error bold" if percent >= 90 else "$text-warning" if percent >= 75 else ""
                parts.append((f" {name} {percent}% ", style))
        if status.nodes is not None and status.ready is not None:
            short = status.ready < status.nodes
            text = f" {status.ready}/{status.nodes} nodes " if short else f" {status.nodes} nodes "
            parts.append((text.replace(" 1 nodes", " 1 node"), "$text-warning" if short else "$text-muted"))
        if status.pods is not None:
            parts.append((f" {status.pods} pods ", "$text-muted"))
        return parts
