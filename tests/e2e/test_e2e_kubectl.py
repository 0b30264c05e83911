"""The real kubectl on real containers: files, terminals, debuggers, ports and sizes."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cluster import Cluster, container, pod

sys.path.insert(0, str(Path(__file__).parents[1] / "kubectl"))

from kubectl_engine import since

pytestmark = pytest.mark.podman

SECONDS = 30
SERVER = ["sh", "-c", "mkdir -p /www; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www"]


class Kubectl:
    """kubectl as the cluster's admin."""

    def __init__(self, cluster: Cluster) -> None:
        self._environment = {**os.environ, "KUBECONFIG": str(cluster.data_dir / "kubeconfig")}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", *words],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def in_a_terminal(self, typed: str, after: bytes, *words: str) -> str:
        """What a terminal shows of a session in which `typed` is typed once it showed `after`."""
        near, far = pty.openpty()
        with subprocess.Popen(
            ["kubectl", *words], env=self._environment, stdin=far, stdout=far, stderr=far
        ) as process:
            os.close(far)
            shown, end = b"", time.monotonic() + SECONDS
            try:
                while time.monotonic() < end:
                    readable, _, _ = select.select([near], [], [], 1)
                    if not readable:
                        continue
                    try:
                        chunk = os.read(near, 4096)
                    except OSError:
                        break
                    shown += chunk
                    if typed and after in shown:
                        os.write(near, typed.encode())
                        typed = ""
            finally:
                process.kill()
                os.close(near)
        return shown.decode(errors="replace")


@pytest.fixture(scope="module")
def kubectl(cluster: Cluster) -> Kubectl:
    """kubectl with a pod `tools` that serves HTTP."""
    limits = {"requests": {"cpu": "10m"}, "limits": {"cpu": "200m"}}
    cluster.write("tools.yaml", pod("tools", container(command=SERVER, resources=limits)))
    cluster.ready("tools")
    return Kubectl(cluster)


def test_files_are_copied_both_ways(kubectl: Kubectl, tmp_path: Path):
    data = os.urandom(2_000_000)
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "data").write_bytes(data)
    kubectl.ok("cp", str(tmp_path / "folder"), "tools:/tmp/")
    assert kubectl.ok("exec", "tools", "--", "stat", "-c", "%s", "/tmp/folder/deep/data") == "2000000\n"
    kubectl.ok("cp", "tools:/tmp/folder/deep/data", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == data
    kubectl.run("cp", "tools:/nope", str(tmp_path / "nope"))
    assert not (tmp_path / "nope").exists()


def test_a_shell_in_a_terminal(kubectl: Kubectl):
    shown = kubectl.in_a_terminal("echo h$((1+1)); exit 5\n", b"# ", "exec", "-it", "tools", "--", "sh")
    assert "\r\nh2\r\n" in shown
    assert "command terminated with exit code 5" in shown


def test_a_command_that_is_not_there(kubectl: Kubectl):
    done = kubectl.run("exec", "tools", "--", "nosuch")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "error: Internal error occurred: error executing command in container: failed to exec in container: "
    )
    assert 'exec: "nosuch": executable file not found in $PATH' in done.stderr


@since(27)
def test_a_debugger_sees_the_processes_of_its_target(kubectl: Kubectl, cluster: Cluster):
    done = kubectl.run(
        *("debug", "tools", "-c", "debugger", "--image=localhost/ktui-sample:1", "--target=main"),
        *("--", "sh", "-c", "cat /proc/1/cmdline; wget -qO- http://127.0.0.1:8080/"),
    )
    assert done.returncode == 0, done.stderr

    def has_ended(item: dict[str, object]) -> bool:
        statuses: list[dict[str, dict[str, object]]] = item["status"]["ephemeralContainerStatuses"]  # type: ignore[index] - JSON
        return "terminated" in statuses[0]["state"]

    cluster.until_pod("tools", has_ended)
    said = kubectl.ok("logs", "tools", "-c", "debugger")
    assert said.replace("\0", " ") == "httpd -f -p 8080 -h /www hello\n"


def test_a_pod_through_the_proxy(kubectl: Kubectl):
    base = "/api/v1/namespaces/default/pods/tools"
    assert kubectl.ok("get", "--raw", f"{base}:8080/proxy/index.html") == "hello\n"
    refused = kubectl.run("get", "--raw", f"{base}:9/proxy/").stderr
    assert refused.startswith(
        "Error from server (ServiceUnavailable): error trying to reach service: dial tcp "
    )
    node = kubectl.ok("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    summary = json.loads(kubectl.ok("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
    (found,) = [each for each in summary["pods"] if each["podRef"]["name"] == "tools"]
    assert found["memory"]["workingSetBytes"] > 0


@since(32)
def test_a_resize_reaches_the_container_that_runs(kubectl: Kubectl, cluster: Cluster):
    before = kubectl.ok("get", "pod", "tools", "-o", "jsonpath={.status.containerStatuses[0].containerID}")
    wanted = {"spec": {"containers": [{"name": "main", "resources": {"limits": {"cpu": "300m"}}}]}}
    done = kubectl.run("patch", "pod", "tools", "--subresource=resize", "-p", json.dumps(wanted))
    assert done.returncode == 0, done.stderr

    def is_resized(item: dict[str, object]) -> bool:
        statuses: list[dict[str, dict[str, dict[str, str]]]] = item["status"]["containerStatuses"]  # type: ignore[index] - JSON
        return statuses[0]["resources"]["limits"]["cpu"] == "300m"

    after = cluster.until_pod("tools", is_resized)
    assert after["status"]["containerStatuses"][0]["containerID"] == before
    files = "/sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us"
    assert "30000" in kubectl.ok("exec", "tools", "--", "sh", "-c", f"cat {files} 2>/dev/null; true")
