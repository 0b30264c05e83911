"""Every pod gets its token, the API's authority and its namespace, for real."""

from __future__ import annotations

import base64
import json

import pytest
from cluster import Cluster, pod

pytestmark = pytest.mark.podman

FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"


def test_a_container_finds_its_token_authority_and_namespace(cluster: Cluster):
    cluster.write("p.yaml", pod("caller"))
    cluster.ready("caller")
    token = cluster.run("exec", "caller", "--", "cat", f"{FOLDER}/token").out.strip()
    assert cluster.run("exec", "caller", "--", "cat", f"{FOLDER}/namespace").out == "default"
    authority = cluster.run("exec", "caller", "--", "cat", f"{FOLDER}/ca.crt").out
    assert authority == (cluster.data_dir / "pki" / "ca.crt").read_text()
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["kubernetes.io"]["pod"]["name"] == "caller"
    assert claims["exp"] - claims["iat"] == 3607
    review = {
        "kind": "TokenReview",
        "apiVersion": "authentication.k8s.io/v1",
        "spec": {"token": token},
    }
    answer = cluster.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
    assert answer["status"]["user"]["username"] == "system:serviceaccount:default:default"
    refused = cluster.run("exec", "caller", "--", "sh", "-c", f"echo x > {FOLDER}/token")
    assert refused.code != 0
