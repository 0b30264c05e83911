"""Kubeconfigs: complete on their own, and merged without touching what others put there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ktui.client.kubeconfig import Access, KubeconfigError, document, merge_into, merged

ACCESS = Access(
    name="ktui",
    user="kubernetes-admin",
    server="https://127.0.0.1:6443",
    authority=b"ca",
    certificate=b"cert",
    key=b"key",
    data_dir="/home/me/ktui",
)
OTHER = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "prod", "cluster": {"server": "https://prod"}}],
    "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "me"}}],
    "current-context": "prod",
    "users": [{"name": "me", "user": {"token": "t"}}],
    "preferences": {"colors": True},
}


def test_it_names_the_cluster_the_user_and_a_context():
    config = document(replace(ACCESS, namespace="dev"))
    assert config["current-context"] == "ktui"
    assert config["contexts"] == [
        {"name": "ktui", "context": {"cluster": "ktui", "user": "ktui-kubernetes-admin", "namespace": "dev"}}
    ]
    assert config["clusters"][0]["cluster"]["certificate-authority-data"] == "Y2E="


def test_merging_keeps_everything_of_others():
    result = merged(OTHER, ACCESS)
    for kind in ("clusters", "contexts", "users"):
        assert result[kind][0] == OTHER[kind][0]
        assert len(result[kind]) == 2
    assert result["current-context"] == "prod"
    assert result["preferences"] == {"colors": True}


def test_merging_again_brings_our_entries_up_to_date():
    once = merged(OTHER, ACCESS)
    twice = merged(once, replace(ACCESS, server="https://127.0.0.1:7000"))
    assert [cluster["name"] for cluster in twice["clusters"]] == ["prod", "ktui"]
    assert twice["clusters"][1]["cluster"]["server"] == "https://127.0.0.1:7000"


def test_an_empty_file_gets_a_current_context():
    assert merged({}, ACCESS)["current-context"] == "ktui"


def test_a_cluster_of_that_name_that_is_not_ours_is_left_alone():
    with pytest.raises(KubeconfigError, match="--name"):
        merged(OTHER, replace(ACCESS, name="prod"))
    elsewhere = merged({}, replace(ACCESS, data_dir="/elsewhere"))
    with pytest.raises(KubeconfigError, match="--name"):
        merged(elsewhere, ACCESS)


def test_a_user_of_that_name_that_is_not_ours_is_left_alone():
    taken = {"users": [{"name": "ktui-kubernetes-admin", "user": {"token": "t"}}]}
    with pytest.raises(KubeconfigError, match="user"):
        merged(taken, ACCESS)


def test_a_file_is_replaced_whole_and_keeps_its_permissions(tmp_path: Path):
    path = tmp_path / "sub" / "config"
    merge_into(path, ACCESS)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text(yaml.safe_dump(OTHER))
    path.chmod(0o640)
    merge_into(path, ACCESS)
    assert path.stat().st_mode & 0o777 == 0o640
    assert len(yaml.safe_load(path.read_text())["clusters"]) == 2
    assert [entry.name for entry in path.parent.iterdir()] == ["config"]


def test_a_link_is_followed(tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    merge_into(tmp_path / "link", ACCESS)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").is_file()


@pytest.mark.parametrize("content", ["{", "- a", "clusters: 5", "clusters: [5]"])
def test_what_is_no_kubeconfig_is_not_written_to(tmp_path: Path, content: str):
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(KubeconfigError):
        merge_into(path, ACCESS)
    assert path.read_text() == content
