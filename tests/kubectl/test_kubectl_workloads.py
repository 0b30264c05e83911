"""kubectl's verbs on running things: rollouts, logs, sessions, nodes."""

from __future__ import annotations

import re
import urllib.request

import pytest
from kubectl_engine import Kubectl, ended, line_of, since

TRANSPORTS = pytest.mark.parametrize("websockets", ["true", "false"], ids=["websocket", "spdy"])


@since(24)
def test_scale(web: Kubectl):
    assert web.ok("scale", "deployment/web", "--replicas=3") == "deployment.apps/web scaled\n"
    assert web.ok("wait", "--for=jsonpath={.status.readyReplicas}=3", "deploy/web", "--timeout=30s") == (
        "deployment.apps/web condition met\n"
    )
    assert (
        "expected replicas"
        in web.fails("scale", "deploy/web", "--replicas=1", "--current-replicas=9").lower()
    )


def test_rollout_has_a_history_to_go_back_in(web: Kubectl):
    assert web.ok("set", "image", "deploy/web", "main=web:2") == "deployment.apps/web image updated\n"
    web.ok("annotate", "deploy/web", "kubernetes.io/change-cause=second")
    status = web.ok("rollout", "status", "deploy/web", "--timeout=30s")
    assert status.splitlines()[-1] == 'deployment "web" successfully rolled out'
    history = [line.split() for line in web.ok("rollout", "history", "deploy/web").splitlines()[2:] if line]
    assert [row[0] for row in history] == ["1", "2"]
    assert "web:1" in web.ok("rollout", "history", "deploy/web", "--revision=1")
    assert web.ok("rollout", "undo", "deploy/web") == "deployment.apps/web rolled back\n"
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert web.ok("get", "deploy", "web", "-o", image) == "web:1"


def test_rollout_restart_pause_and_resume(web: Kubectl):
    assert web.ok("rollout", "restart", "deploy/web") == "deployment.apps/web restarted\n"
    assert web.ok("rollout", "pause", "deploy/web") == "deployment.apps/web paused\n"
    assert "already paused" in web.fails("rollout", "pause", "deploy/web")
    assert web.ok("rollout", "resume", "deploy/web") == "deployment.apps/web resumed\n"
    web.ok("rollout", "status", "deploy/web", "--timeout=30s")


def test_set_env_and_resources(web: Kubectl):
    assert web.ok("set", "env", "deploy/web", "A=b") == "deployment.apps/web env updated\n"
    assert web.ok("set", "env", "deploy/web", "--list").splitlines()[1:] == ["A=b"]
    assert web.ok("set", "resources", "deploy/web", "--requests=cpu=10m").endswith("requirements updated\n")


def test_logs(web: Kubectl):
    text = web.ok("logs", "deploy/web")
    assert "sim: web:1 started" in text
    assert web.ok("logs", "-l", "app=web", "--prefix").count("[pod/web-") == 2
    stamped = web.ok("logs", "deploy/web", "--timestamps", "--tail=1")
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d) ", stamped)
    assert "container nope is not valid" in web.fails("logs", "deploy/web", "-c", "nope")


def test_logs_follow_until_the_client_goes(web: Kubectl):
    process = web.start("logs", "-f", "deploy/web")
    try:
        assert "sim:" in line_of(process)
        assert process.poll() is None
    finally:
        ended(process)


@since(26)
def test_events(web: Kubectl):
    reasons = {line.split()[2] for line in web.ok("events", "--no-headers").splitlines()}
    assert {"Scheduled", "Started", "ScalingReplicaSet"} <= reasons
    assert "Scheduled" in web.ok("get", "events", "--field-selector=reason=Scheduled")


@TRANSPORTS
def test_exec_brings_output_input_and_the_exit_code(web: Kubectl, websockets: str):
    web.environment["KUBECTL_REMOTE_COMMAND_WEBSOCKETS"] = websockets
    assert web.ok("exec", "deploy/web", "--", "echo", "hello", "there") == "hello there\n"
    assert web.ok("exec", "-i", "deploy/web", "--", "cat", stdin="typed\n") == "typed\n"
    result = web.run("exec", "-i", "deploy/web", "--", "sh", stdin="exit 3\n")
    assert (result.code, result.err) == (3, "command terminated with exit code 3\n")
    assert web.fails("exec", "nope", "--", "ls") == 'Error from server (NotFound): pods "nope" not found\n'


@TRANSPORTS
def test_exec_brings_much_data_unharmed(web: Kubectl, websockets: str):
    web.environment["KUBECTL_REMOTE_COMMAND_WEBSOCKETS"] = websockets
    text = "".join(f"line {number}\n" for number in range(100_000))
    assert web.ok("exec", "-i", "deploy/web", "--", "cat", stdin=text) == text


@TRANSPORTS
def test_attach(web: Kubectl, websockets: str):
    web.environment["KUBECTL_REMOTE_COMMAND_WEBSOCKETS"] = websockets
    web.ok("run", "shell", "--image=i", "--stdin", "--command", "--", "sh")
    web.ok("wait", "--for=condition=Ready", "pod/shell", "--timeout=30s")
    assert web.ok("attach", "-i", "shell", stdin="typed\n") == "typed\n"


@TRANSPORTS
def test_port_forward(web: Kubectl, websockets: str):
    web.environment["KUBECTL_PORT_FORWARD_WEBSOCKETS"] = websockets
    process = web.start("port-forward", "deploy/web", ":80", "--address=127.0.0.1")
    try:
        port = line_of(process).split()[2].rpartition(":")[2]
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                assert answer.read() == b"sim\n"
    finally:
        ended(process)


@since(24)
def test_cordon_taint_and_drain(web: Kubectl):
    web.ok("label", "pods", "-l", "app=web", f"in={web.namespace}")
    node = web.ok("get", "nodes", "-o", "name").strip()
    name = node.partition("/")[2]
    assert web.ok("cordon", name) == f"{node} cordoned\n"
    try:
        assert "SchedulingDisabled" in web.ok("get", node)
        drained = web.ok(
            "drain", name, "--ignore-daemonsets", "--force", f"--pod-selector=in={web.namespace}"
        )
        assert drained.endswith(f"{node} drained\n")
        assert drained.count(" evicted") + drained.count(" deleted") == 2
    finally:
        assert web.ok("uncordon", name) == f"{node} uncordoned\n"
    assert web.ok("taint", "node", name, "a=b:PreferNoSchedule") == f"{node} tainted\n"
    assert web.ok("taint", "node", name, "a-") == f"{node} untainted\n"
    web.ok("rollout", "status", "deploy/web", "--timeout=30s")


def test_top(web: Kubectl):
    rows = [line.split() for line in web.ok("top", "pods", "--no-headers").splitlines()]
    assert len(rows) == 2
    assert all(row[1].endswith("m") and row[2].endswith("Mi") for row in rows)
    head = web.ok("top", "nodes").splitlines()[0].replace("(%)", "%").split()
    assert head == ["NAME", "CPU(cores)", "CPU%", "MEMORY(bytes)", "MEMORY%"]


def test_wait_runs_out_of_time(web: Kubectl):
    error = web.fails("wait", "--for=condition=Nonsense", "deploy/web", "--timeout=1s")
    assert error == "error: timed out waiting for the condition on deployments/web\n"


def test_proxy_serves_the_api_on_plain_http(admin: Kubectl):
    process = admin.start("proxy", "--port=0")
    try:
        address = line_of(process).split()[-1]
        with urllib.request.urlopen(f"http://{address}/api/v1/namespaces/default", timeout=10) as answer:
            assert b'"Namespace"' in answer.read()
    finally:
        ended(process)
