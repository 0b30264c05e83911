"""One engine with the sim runtime for all tests of the command line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engine_process import EngineProcess

WEB = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data: {index.html: hello}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web, tier: front}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: "web:1"}
"""


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    folder = tmp_path_factory.mktemp("manifests")
    (folder / "web.yaml").write_text(WEB)
    process = EngineProcess(tmp_path_factory.mktemp("data"), folder)
    process.start()
    try:
        process.until("2", "get", "deploy", "web", "-o", "jsonpath={.status.availableReplicas}")
        yield process
    finally:
        process.stop()
