"""`ktui logs`: the log of a container, of all of a pod's, or of all pods of a workload or selector."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from ktui.client.base import Client, ListOptions, LogOptions
from ktui.client.podsof import pods_of
from ktui.commands import options
from ktui.commands.default_container import default_container
from ktui.commands.flags import Verb
from ktui.commands.session import UserError, session
from ktui.commands.targets import ResourceIndex
from ktui.kube.duration import parse_duration
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS
from ktui.kube.resource import Object


@click.command("logs", cls=Verb)
@click.argument("target", required=False, metavar="POD | TYPE/NAME")
@click.argument("container_word", required=False, metavar="[CONTAINER]")
@options.namespace
@options.selector
@options.container
@click.option("--all-containers", is_flag=True, help="Every container, init containers too.")
@click.option("--all-pods", is_flag=True, help="Every pod of the workload.")
@click.option("-f", "--follow", is_flag=True, help="Go on as lines come.")
@click.option("-p", "--previous", is_flag=True, help="Of the run before the last restart.")
@click.option("--since", default="", metavar="DURATION", help="Only what is newer, such as 5s, 2m, 3h.")
@click.option("--since-time", default="", metavar="TIME", help="Only what is newer than an RFC 3339 time.")
@click.option("--tail", type=int, default=None, metavar="N", help="Only the last N lines. [-1: all]")
@click.option("--timestamps", is_flag=True, help="A timestamp before each line.")
@click.option("--prefix", is_flag=True, help="Pod and container before each line.")
@click.option("--limit-bytes", type=int, default=None, metavar="N")
@click.option("--max-log-requests", type=int, default=5, show_default=True, metavar="N")
@click.option("--ignore-errors", is_flag=True, help="Go on with the others when one can't be followed.")
def command(target: str | None, container_word: str | None, **given: Any) -> None:
    """Print the logs of a container in a pod."""
    session().run(lambda client: _Logs(client, given).run(target, container_word))


class _Logs:
    """One call of the verb."""

    def __init__(self, client: Client, given: dict[str, Any]) -> None:
        self._client = client
        self._given = given

    async def run(self, target: str | None, container_word: str | None) -> None:
        container = self._given["container"] or container_word or ""
        if container and self._given["all_containers"]:
            raise UserError("--all-containers=true should not be specified with a container name")
        pods = await self._pods(target)
        streams = [(pod, name) for pod in pods for name in self._containers(pod, container)]
        if self._given["follow"] and len(streams) > self._given["max_log_requests"]:
            raise UserError(
                f"you are attempting to follow {len(streams)} log streams, but maximum allowed concurrency is "
                f"{self._given['max_log_requests']}, use --max-log-requests to increase the limit"
            )
        if not self._given["follow"]:
            for pod, name in streams:
                await self._print(pod, name)
            return
        try:
            async with asyncio.TaskGroup() as group:
                for pod, name in streams:
                    group.create_task(self._print(pod, name))
        except* Exception as failures:
            raise failures.exceptions[0] from None

    async def _pods(self, target: str | None) -> list[Object]:
        namespace = self._given["namespace"]
        if self._given["selector"]:
            if target:
                raise UserError("only a selector (-l) or a POD name is allowed")
            listing = await self._client.list(
                PODS, namespace, options=ListOptions(label_selector=self._given["selector"])
            )
            if not listing.raw:
                click.echo(f"No resources found in {namespace} namespace.", err=True)
            return listing.items
        if not target:
            raise UserError("expected 'logs POD' or 'logs TYPE/NAME', or a selector with -l")
        if "/" not in target:
            return [await self._client.get(PODS, target, namespace)]
        found = (await ResourceIndex.of(self._client)).targets([target])[0]
        pods = await pods_of(self._client, found.resource, found.names[0], namespace)
        if not pods:
            raise UserError(f"no pods found for {target}")
        if len(pods) > 1 and not self._given["all_pods"]:
            name = pods[0]["metadata"]["name"]
            click.echo(f"Found {len(pods)} pods, using pod/{name}", err=True)
            return pods[:1]
        return pods

    def _containers(self, pod: Object, container: str) -> list[str]:
        spec: Object = pod["spec"]
        kinds = ("initContainers", "containers", "ephemeralContainers")
        if self._given["all_containers"]:
            return [item["name"] for kind in kinds for item in spec.get(kind) or ()]
        return [container or default_container(pod)]

    async def _print(self, pod: Object, container: str) -> None:
        metadata = pod["metadata"]
        seconds = parse_duration(self._given["since"]) if self._given["since"] else None
        tail = self._given["tail"]
        if tail is None and self._given["selector"]:
            tail = 10
        log_options = LogOptions(
            container=container,
            follow=self._given["follow"],
            previous=self._given["previous"],
            since_seconds=max(1, round(seconds)) if seconds is not None else None,
            since_time=self._given["since_time"],
            timestamps=self._given["timestamps"],
            tail_lines=tail if tail is not None and tail >= 0 else None,
            limit_bytes=self._given["limit_bytes"],
        )
        prefix = f"[pod/{metadata['name']}/{container}] ".encode() if self._given["prefix"] else b""
        try:
            async with self._client.logs(
                metadata["name"], metadata["namespace"], options=log_options
            ) as chunks:
                async for chunk in chunks:
                    if prefix:
                        chunk = b"".join(prefix + line for line in chunk.splitlines(keepends=True))
                    sys.stdout.buffer.write(chunk)
                    sys.stdout.buffer.flush()
        except StatusError as error:
            if not self._given["ignore_errors"]:
                raise
            click.echo(f"error: {error.message}", err=True)
