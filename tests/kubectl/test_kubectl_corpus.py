"""Manifests as people write them, over all kinds and their features: applied as a trial and really; once more changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubectl_engine import Kubectl, since

CORPUS = Path(__file__).parent / "corpus"


@since(26)
@pytest.mark.parametrize("folder", sorted(path.name for path in CORPUS.iterdir() if path.name != "custom"))
def test_manifests_are_taken(kubectl: Kubectl, folder: str):
    files = [word for path in sorted((CORPUS / folder).glob("*.yaml")) for word in ("-f", str(path))]
    try:
        tried = kubectl.ok("apply", "--dry-run=server", "--validate=strict", *files).splitlines()
        assert all(line.endswith(" created (server dry run)") for line in tried), tried
        applied = kubectl.ok("apply", *files).splitlines()
        assert [line.partition(" ")[0] for line in applied] == [line.partition(" ")[0] for line in tried]
        assert kubectl.ok("diff", *files) == "", "applied once more, they change nothing"
        assert "Name:" in kubectl.ok("describe", *files)
        if folder == "extensions":
            kubectl.ok("wait", *files, "--for=condition=Established", "--timeout=20s")
            made = kubectl.ok("apply", "-f", str(CORPUS / "custom"))
            assert made.splitlines() == [
                "backup.corpus.example.com/nightly created",
                "backup.corpus.example.com/archive created",
            ]
            copies = kubectl.ok("get", "backups", "-o", "jsonpath={.items[*].spec.copies}")
            assert copies == "9 1"
        if folder == "workloads":
            kubectl.ok("rollout", "status", "deployment/web", "--timeout=30s")
    finally:
        kubectl.ok("delete", *files, "--ignore-not-found", "--wait=false", "--now")
