"""The doctor's findings: each from plain facts, and once from the machine the tests run on."""

from dataclasses import replace

import pytest

from ktui.engine.kubelet.doctor import Verdict, checks_of, mend_for, run_checks
from ktui.engine.kubelet.doctor_facts import Facts
from ktui.engine.kubelet.runtime.base import RuntimeInfo
from ktui.engine.kubelet.runtime.podman_identity import ChosenRuntime, Identity

HEALTHY = Facts(
    uid=0,
    user="root",
    programs={name: f"/usr/bin/{name}" for name in ("podman", "runc", "crun", "conmon", "nft", "newuidmap")},
    podman={"version": {"Version": "4.3.1"}},
    cgroups="v1 hybrid",
    cgroup_manager="cgroupfs",
    helpers=frozenset({"netavark", "catatonit"}),
    subuid=True,
    subgid=True,
    images=["localhost/ktui-sample:1"],
    identity=Identity(
        engine="abcd1234", folder="/d", inode=1, subnet="10.130.1.0/24", runtime=ChosenRuntime("runc", "")
    ),
    socket="/d/podman.sock",
    trial=RuntimeInfo("podman", "4.3.1", {"ociRuntime": "runc", "network": "ktui-abcd1234"}),
)
USER = replace(HEALTHY, uid=1000, user="ada", cgroups="v2", first_unprivileged_port=0)


def without(facts, *programs):
    return replace(facts, programs={k: v for k, v in facts.programs.items() if k not in programs})


def test_healthy_machine_has_nothing_to_mend():
    checks = checks_of(HEALTHY)
    assert {check.verdict for check in checks} == {Verdict.OK}
    assert not any(check.problem or check.mend for check in checks)
    found = {check.name: check for check in checks}
    assert found["podman"].found.startswith("4.3.1")
    assert found["runtime"].chosen == "runc"
    assert found["subnet"].chosen == "10.130.1.0/24 on ktuiabcd1234"
    assert {check.verdict for check in checks_of(USER)} == {Verdict.OK}


@pytest.mark.parametrize(
    ("facts", "name", "verdict", "mend"),
    [
        (without(HEALTHY, "podman"), "podman", Verdict.FAILURE, "install -y --no-install-recommends podman"),
        (replace(HEALTHY, podman={"version": {"Version": "3.0.1"}}), "podman", Verdict.FAILURE, "upgrade"),
        (replace(HEALTHY, podman_error='could not find "netavark"'), "podman", Verdict.FAILURE, "netavark"),
        (replace(HEALTHY, podman_error="strange"), "podman", Verdict.FAILURE, "podman info"),
        (without(HEALTHY, "runc", "crun"), "runtime", Verdict.FAILURE, "runc"),
        (without(HEALTHY, "runc"), "runtime", Verdict.WARNING, "runc"),
        (without(HEALTHY, "conmon"), "helpers", Verdict.FAILURE, "conmon"),
        (replace(HEALTHY, helpers=frozenset()), "helpers", Verdict.FAILURE, "netavark catatonit"),
        (replace(HEALTHY, cgroups="none"), "cgroups", Verdict.FAILURE, "mount"),
        (replace(USER, cgroups="v1"), "cgroups", Verdict.WARNING, "unified_cgroup_hierarchy=1"),
        (without(USER, "newuidmap"), "uidmap", Verdict.FAILURE, "uidmap"),
        (replace(USER, subuid=False), "subuid", Verdict.FAILURE, "--add-subuids 100000-165535"),
        (replace(USER, tun="denied"), "tun", Verdict.FAILURE, "chmod 666 /dev/net/tun"),
        (replace(USER, first_unprivileged_port=1024), "ports", Verdict.WARNING, "ip_unprivileged_port_start"),
        (without(HEALTHY, "nft"), "nft", Verdict.WARNING, "nftables"),
        (replace(HEALTHY, nft_error="not supported"), "nft", Verdict.WARNING, "nf_tables"),
        (replace(HEALTHY, busy_ports=[53]), "ports", Verdict.WARNING, "sport = :53"),
        (replace(HEALTHY, subnet_collision="10.130.0.0/16"), "subnet", Verdict.WARNING, "network rm"),
        (replace(HEALTHY, images=[]), "images", Verdict.WARNING, "scripts/sample-image.sh"),
        (
            replace(HEALTHY, trial=None, trial_error="crun: cgroups in hybrid mode not supported"),
            "pod",
            Verdict.FAILURE,
            "runc",
        ),
    ],
)
def test_finding_names_its_mend(facts, name, verdict, mend):
    (check,) = [c for c in checks_of(facts) if c.name == name]
    assert check.verdict is verdict
    assert check.problem
    assert mend in check.mend


def test_user_without_bridges_is_told():
    facts = replace(USER, trial=RuntimeInfo("podman", "4.3.1", {"network": "slirp4netns"}))
    (check,) = [c for c in checks_of(facts) if c.name == "rootless"]
    assert "slirp4netns" in check.chosen
    assert check.verdict is Verdict.WARNING


def test_running_engine_is_not_disturbed():
    checks = checks_of(replace(HEALTHY, engine_answers=True, trial=None, busy_ports=[80]))
    assert "pod" not in {check.name for check in checks}
    assert {check.verdict for check in checks} == {Verdict.OK}


def test_unknown_complaints_have_no_mend():
    assert mend_for("all is lost", "ada") == ""
    assert "ada" in mend_for("no subuid ranges found for user", "ada")


async def test_machine_without_podman_is_reported_not_raised(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (podman,) = [c for c in await run_checks(tmp_path / "data") if c.name == "podman"]
    assert podman.verdict is Verdict.FAILURE


async def test_broken_podman_is_reported_not_raised(tmp_path, monkeypatch):
    fake = tmp_path / "podman"
    fake.write_text("#!/bin/sh\necho 'Error: no subuid ranges found for user' >&2\nexit 125\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (podman,) = [c for c in await run_checks(tmp_path / "data") if c.name == "podman"]
    assert podman.verdict is Verdict.FAILURE
    assert "no subuid ranges" in podman.problem
    assert "usermod" in podman.mend


@pytest.mark.podman
async def test_this_machine_runs_a_pod_and_keeps_nothing(tmp_path):
    checks = {check.name: check for check in await run_checks(tmp_path)}
    assert checks["pod"].verdict is Verdict.OK, checks["pod"]
    assert checks["runtime"].chosen in {"runc", "crun"}
    assert not list(tmp_path.iterdir())
