"""`ktui port-forward` as a process: a Service's port on this machine, also after its pods were replaced."""

from __future__ import annotations

import re
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import IO

from engine_process import EngineProcess

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: forwarded}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
"""
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def line_of(stream: IO[str]) -> str:
    readable, _, _ = select.select([stream], [], [], 30)
    assert readable, "nothing was printed"
    return stream.readline()


def test_a_service_is_reached_and_its_next_pods_too(engine: EngineProcess) -> None:
    engine.ok("apply", "-f", "-", stdin=SERVICE)
    command = [sys.executable, "-m", "ktui", "--data-dir", str(engine.data_dir)]
    process = subprocess.Popen(
        [*command, "port-forward", "svc/forwarded", ":http", "--address=127.0.0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = line_of(process.stdout)
        found = re.fullmatch(r"Forwarding from 127\.0\.0\.1:(\d+) -> 8080\n", line)
        assert found, line
        port = found[1]
        for _ in range(2):
            with DIRECT.open(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                assert answer.read() == b"sim\n"
            assert line_of(process.stdout) == f"Handling connection for {port}\n"
            engine.ok("delete", "pods", "-l", "app=web")
            engine.until("2", "get", "deploy", "web", "-o", "jsonpath={.status.availableReplicas}")
        news = line_of(process.stderr)
        assert news.startswith(f"service/forwarded on port {port}: web-"), news
        assert " has gone; " in news
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()


def test_what_can_not_be_forwarded_is_told_in_kubectl_s_words(engine: EngineProcess) -> None:
    assert engine.run("port-forward", "deploy/web").err == (
        "error: TYPE/NAME and list of ports are required for port-forward\n"
    )
    assert engine.run("port-forward", "deploy/web", "http").err.endswith(
        " does not have a named port 'http'\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = engine.run("port-forward", "deploy/web", f"{port}:80", "--address", "127.0.0.1")
    assert (result.code, result.err.splitlines()) == (
        1,
        [
            f"Unable to listen on port {port}: Listeners failed to create with the following errors: [unable to "
            f"create listener: Error listen tcp4 127.0.0.1:{port}: bind: address already in use]",
            f"error: unable to listen on any of the requested ports: [{{{port} 80}}]",
        ],
    )
