"""A whole ktui on real Podman: `ktui serve` on a data folder and a folder of manifests, both of its own.

Waiting goes through the API's watch on the unix socket, so that a test neither sleeps nor loads the machine.
`close()` takes away every container and the network that the engine made, and nothing else.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from engine_process import EngineProcess

JSON = dict[str, Any]

SAMPLE = "localhost/ktui-sample:1"
SLEEP = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"]
"""Ends at once when asked to; a shell with pid 1 has no default for SIGTERM."""


class Cluster(EngineProcess):
    """An engine in a process of its own; verbs, API, and what Podman has of it."""

    def __init__(self, *, runtime: str = "podman") -> None:
        # Not pytest's tmp_path: a socket's path must be short.
        self.root = Path(tempfile.mkdtemp(prefix="ktui-e2e-"))
        folder = self.root / "manifests"
        folder.mkdir()
        super().__init__(self.root / "data", folder, runtime)

    def write(self, name: str, *objects: JSON | str) -> Path:
        """A manifest in the watched folder."""
        assert self.manifests is not None
        file = self.manifests / name
        file.write_text("\n---\n".join(o if isinstance(o, str) else json.dumps(o) for o in objects))
        return file

    def kill(self) -> None:
        """`kill -9`: nothing of the engine gets to tidy up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def kill_podman_service(self) -> None:
        """`kill -9` of the service that Podman's API is asked of; containers go on."""
        socket_ = f"unix://{self.data_dir}/podman/podman.sock".encode()
        found = [number for number in _processes() if socket_ in _words(number)]
        assert found, "Podman's service does not run"
        os.kill(found[0], signal.SIGKILL)

    def restart(self, number: int = signal.SIGTERM) -> None:
        self.stop(number)
        self.start()

    def spawn(self, *words: str, **streams: Any) -> subprocess.Popen[str]:
        """A verb in a process of its own, for what runs on."""
        return subprocess.Popen(
            [sys.executable, "-m", "ktui", "--data-dir", str(self.data_dir), *words],
            text=True,
            **{"stdout": subprocess.PIPE, **streams},
        )

    def until_says(self, text: str, *words: str, seconds: float = 15) -> None:
        """Run a verb until its output holds `text`."""
        end = time.monotonic() + seconds
        while text not in (result := self.run(*words)).out:
            assert time.monotonic() < end, f"ktui {' '.join(words)}: {result.out}{result.err}"
            time.sleep(0.1)

    # The API.

    def call(self, method: str, path: str, body: JSON | None = None) -> JSON:
        """A request; raises AssertionError with the Status' message."""
        connection = _Connection(self.data_dir / "ktui.sock", 30)
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": kind})
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        assert response.status < 400, f"{method} {path}: {answer.get('message')}"
        return answer

    def until_all(self, path: str, check: Callable[[list[JSON]], bool], seconds: float = 30) -> list[JSON]:
        """The objects of a collection once `check` holds of them; fails with what they are."""
        items: dict[str, JSON] = {}
        for items in self.states(path, seconds):
            if check(list(items.values())):
                return list(items.values())
        seen = "\n".join(f"{name}: {_summary(item)}" for name, item in items.items())
        raise AssertionError(f"{path} in {seconds:g}s:\n{seen}\nThe engine says:\n{self.said()}")

    def states(self, path: str, seconds: float) -> Iterator[dict[str, JSON]]:
        """A collection by namespace/name after each change, until the time is over."""
        end = time.monotonic() + seconds
        listed = self.call("GET", path)
        items = {_key(item): item for item in listed["items"]}
        yield items
        version = listed["metadata"]["resourceVersion"]
        connection = _Connection(self.data_dir / "ktui.sock", seconds)
        connection.request("GET", f"{path}?watch=true&resourceVersion={version}")
        response = connection.getresponse()
        try:
            while (left := end - time.monotonic()) > 0:
                connection.sock.settimeout(left)
                line = response.readline()
                assert line, f"the watch of {path} ended"
                event = json.loads(line)
                if event["type"] == "DELETED":
                    items.pop(_key(event["object"]), None)
                elif event["type"] in ("ADDED", "MODIFIED"):
                    items[_key(event["object"])] = event["object"]
                else:
                    continue
                yield items
        except TimeoutError:
            return
        finally:
            connection.close()

    def until_pod(
        self, name: str, check: Callable[[JSON], object], seconds: float = 30, namespace: str = "default"
    ) -> JSON:
        """A pod (by name or by what its name starts with, with a `*`) once `check` holds of it."""

        def found(items: list[JSON]) -> list[JSON]:
            pattern = re.compile(re.escape(name).replace(r"\*", ".*"))
            return [
                item for item in items if pattern.fullmatch(item["metadata"]["name"]) and _holds(check, item)
            ]

        items = self.until_all(
            f"/api/v1/namespaces/{namespace}/pods", lambda all_: bool(found(all_)), seconds
        )
        return found(items)[0]

    def ready(self, name: str, seconds: float = 30, namespace: str = "default") -> JSON:
        """A pod once it is ready."""
        return self.until_pod(name, is_ready, seconds, namespace)

    def gone(self, name: str, seconds: float = 30, namespace: str = "default") -> None:
        """Wait until a pod's object is no more."""
        self.until_all(
            f"/api/v1/namespaces/{namespace}/pods",
            lambda items: all(item["metadata"]["name"] != name for item in items),
            seconds,
        )

    def until_event(
        self, reason: str, about: str, message: str = "", seconds: float = 30, namespace: str = "default"
    ) -> JSON:
        """An Event with that reason about an object, and with that text in its message."""

        def found(items: list[JSON]) -> list[JSON]:
            return [
                item
                for item in items
                if item["reason"] == reason
                and item["involvedObject"]["name"].startswith(about)
                and message in item["message"]
            ]

        events = self.until_all(f"/api/v1/namespaces/{namespace}/events", lambda i: bool(found(i)), seconds)
        return found(events)[0]

    # Podman's side.

    @property
    def engine_id(self) -> str:
        return json.loads((self.data_dir / "podman" / "podman.json").read_text())["engine"]

    @property
    def subnet(self) -> str:
        return json.loads((self.data_dir / "podman" / "podman.json").read_text())["subnet"]

    def containers(self) -> list[JSON]:
        """What Podman has of this engine, infra containers too."""
        return podman_json("ps", "--all", "--filter", f"label=dev.ktui.engine={self.engine_id}")

    def containers_of(self, pod: str) -> list[str]:
        """Ids of a pod's containers."""
        return sorted(c["Id"] for c in self.containers() if c["Labels"].get("dev.ktui.pod.name") == pod)

    def until_no_container_of(self, pod: str, seconds: float = 15) -> None:
        end = time.monotonic() + seconds
        while found := self.containers_of(pod):
            assert time.monotonic() < end, f"containers of {pod}: {found}"
            time.sleep(0.1)

    def close(self) -> None:
        """End the engine; take away what it made."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
        if (self.data_dir / "podman" / "podman.json").exists():
            label = f"label=dev.ktui.engine={self.engine_id}"
            pods = podman("pod", "ps", "--quiet", "--filter", label).split()
            if pods:
                podman("pod", "rm", "--force", "--time", "0", *pods)
            podman("network", "rm", "--force", f"ktui-{self.engine_id}")
            remove_network(self.data_dir, self.engine_id)
        shutil.rmtree(self.root, ignore_errors=True)


def remove_network(data_dir: Path, engine: str) -> None:
    """What the network agent of an engine that was killed still holds."""
    # One that only just began has no file with its id yet, and would make tables after they were removed.
    folder = str(data_dir / "network").encode()
    while agents := [number for number in _processes() if folder in _words(number)]:
        for number in agents:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.02)
    for table in (f"ktui-{engine}", f"ktui-{engine}-policy"):
        subprocess.run(["nft", "delete", "table", "ip", table], capture_output=True, check=False)
    for link in (f"ktui{engine}a", f"ktui{engine}"):
        subprocess.run(["ip", "link", "delete", link], capture_output=True, check=False)


def _processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def _words(number: int) -> list[bytes]:
    """The command line of a process."""
    try:
        return Path("/proc", str(number), "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _summary(item: JSON) -> str:
    """What a failed wait shows of an object: enough to see where it stands, in one line."""
    shown = {
        key: item["metadata"][key] for key in ("deletionTimestamp", "finalizers") if key in item["metadata"]
    }
    status = dict(item.get("status") or {})
    conditions = {c["type"]: c["status"] for c in status.pop("conditions", ())}
    containers = {c["name"]: c["state"] for c in status.pop("containerStatuses", ())}
    return json.dumps({**shown, **status, "conditions": conditions, "containers": containers})[:1500]


def podman(*words: str) -> str:
    """What a podman command prints."""
    done = subprocess.run(["podman", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"podman {' '.join(words)}: {done.stderr}"
    return done.stdout


def podman_json(*words: str) -> list[JSON]:
    return json.loads(podman(*words, "--format", "json") or "[]") or []


def pod(name: str, *containers: JSON, namespace: str = "default", **spec: Any) -> JSON:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"terminationGracePeriodSeconds": 2, "containers": list(containers or [container()]), **spec},
    }


def container(name: str = "main", **fields: Any) -> JSON:
    return {"name": name, "image": SAMPLE, "command": SLEEP, **fields}


def deployment(name: str, replicas: int, *containers: JSON, **spec: Any) -> JSON:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod(name, *containers)["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template,
            **spec,
        },
    }


def is_ready(item: JSON) -> bool:
    conditions = item.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions) and (
        "deletionTimestamp" not in item["metadata"]
    )


def status_of(item: JSON, name: str = "main") -> JSON:
    """A container's status."""
    status = item["status"]
    every = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return next(s for s in every if s["name"] == name)


def waiting_reason(item: JSON, name: str = "main") -> str:
    return status_of(item, name)["state"].get("waiting", {}).get("reason", "")


def http_get(address: str, port: int = 8080, path: str = "/", seconds: float = 5) -> str:
    """A page from a pod's address."""
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
        assert response.status == 200, f"{response.status}: {body}"
        return body
    finally:
        connection.close()


def _holds(check: Callable[[JSON], object], item: JSON) -> bool:
    try:
        return bool(check(item))
    except (KeyError, StopIteration):
        return False


def _key(item: JSON) -> str:
    metadata = item["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"


class _Connection(http.client.HTTPConnection):
    """HTTP on a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("ktui", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
