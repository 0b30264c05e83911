"""`ktui doctor`: what this machine offers for running pods, what ktui chose, what is wrong and what mends it.

Facts come from `doctor_facts`; here pure functions turn them into checks, so that every finding is tested
without breaking a machine. A check never raises and never shows a traceback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ktui.engine.kubelet.doctor_facts import PORTS, SAMPLE_IMAGE, Facts, gather_facts

JSON = dict[str, Any]

INSTALL = "sudo apt-get install -y --no-install-recommends"
_OLDEST_PODMAN = (4, 0)


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    """Something will not work, the rest will."""
    FAILURE = "failure"
    """Pods can't run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the report: what was found, what ktui does with it, what is wrong, the command that mends it."""

    name: str
    verdict: Verdict
    found: str
    chosen: str = ""
    problem: str = ""
    mend: str = ""


async def run_checks(data_dir: Path, *, debug: bool = False) -> list[Check]:
    """Look at the machine and at the engine of `data_dir`; takes a second or two. With `debug` faults are raised."""
    try:
        facts = await gather_facts(data_dir)
    except Exception as error:  # a doctor that falls ill helps nobody
        if debug:
            raise
        return [
            Check(
                name="doctor",
                verdict=Verdict.FAILURE,
                found="",
                problem=f"the machine can't be examined: {type(error).__name__}: {error}",
                mend="ktui --debug doctor",
            )
        ]
    return checks_of(facts)


def checks_of(facts: Facts) -> list[Check]:
    """All checks, the most basic first."""
    return [check for part in _PARTS for check in part(facts)]


def _podman(facts: Facts) -> Iterator[Check]:
    path = facts.programs.get("podman")
    if path is None:
        yield Check(
            name="podman",
            verdict=Verdict.FAILURE,
            found="not installed",
            problem="pods run as Podman containers",
            mend=f"{INSTALL} podman   (or: ktui --runtime sim)",
        )
        return
    if facts.podman_error:
        yield Check(
            name="podman",
            verdict=Verdict.FAILURE,
            found=path,
            problem=f"`podman info` fails: {facts.podman_error}",
            mend=mend_for(facts.podman_error, facts.user) or "podman info",
        )
        return
    version_of: JSON = facts.podman.get("version") or {}
    version = str(version_of.get("Version") or "?")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    too_old = bool(numbers) and numbers < _OLDEST_PODMAN
    yield Check(
        name="podman",
        verdict=Verdict.FAILURE if too_old else Verdict.OK,
        found=f"{version} ({path})",
        problem="ktui needs Podman 4.0 or newer" if too_old else "",
        mend="upgrade to Debian 12 or newer" if too_old else "",
    )


def _service(facts: Facts) -> Iterator[Check]:
    if "podman" not in facts.programs or facts.podman_error:
        return
    yield Check(
        name="socket",
        verdict=Verdict.OK,
        found="an engine's service answers"
        if facts.engine_answers
        else "no service of this data folder runs",
        chosen=f"a Podman service of ktui's own on {facts.socket}",
    )


def _oci_runtime(facts: Facts) -> Iterator[Check]:
    installed = [name for name in ("crun", "runc") if name in facts.programs]
    if not installed:
        yield Check(
            name="runtime",
            verdict=Verdict.FAILURE,
            found="neither crun nor runc",
            problem="containers need an OCI runtime",
            mend=f"{INSTALL} {'crun' if facts.cgroups == 'v2' else 'runc'}",
        )
        return
    kept = facts.identity.runtime.name if facts.identity and facts.identity.runtime else ""
    chosen = facts.trial.details.get("ociRuntime", "") if facts.trial else kept
    if facts.cgroups != "v2" and installed == ["crun"]:
        yield Check(
            name="runtime",
            verdict=Verdict.WARNING,
            found="crun",
            chosen=chosen,
            problem="crun may refuse version 1 cgroups",
            mend=f"{INSTALL} runc",
        )
        return
    yield Check(name="runtime", verdict=Verdict.OK, found=", ".join(installed), chosen=chosen)


def _helpers(facts: Facts) -> Iterator[Check]:
    missing = [name for name in ("conmon",) if name not in facts.programs]
    missing += [name for name in ("netavark", "catatonit") if name not in facts.helpers]
    yield Check(
        name="helpers",
        verdict=Verdict.FAILURE if missing else Verdict.OK,
        found="conmon, netavark, catatonit" if not missing else f"no {', '.join(missing)}",
        problem="Podman can't start pods without them" if missing else "",
        mend=f"{INSTALL} {' '.join(missing)}" if missing else "",
    )


def _cgroups(facts: Facts) -> Iterator[Check]:
    name = "cgroups"
    if facts.cgroups == "none":
        yield Check(
            name=name,
            verdict=Verdict.FAILURE,
            found="no hierarchy under /sys/fs/cgroup",
            problem="containers can't be made",
            mend="sudo mount -t cgroup2 none /sys/fs/cgroup",
        )
    elif facts.uid != 0 and facts.cgroups != "v2":
        yield Check(
            name=name,
            verdict=Verdict.WARNING,
            found=facts.cgroups,
            chosen=facts.cgroup_manager,
            problem="an ordinary user has no cgroups on version 1: limits, OOMKilled and usage are not there",
            mend="boot with systemd.unified_cgroup_hierarchy=1, or run ktui as root",
        )
    else:
        yield Check(name=name, verdict=Verdict.OK, found=facts.cgroups, chosen=facts.cgroup_manager)


def _rootless(facts: Facts) -> Iterator[Check]:
    if facts.uid == 0:
        yield Check(name="rootless", verdict=Verdict.OK, found="root", chosen="rootful pods on a bridge")
        return
    found = f"user {facts.user}"
    if "newuidmap" not in facts.programs:
        yield Check(
            name="uidmap",
            verdict=Verdict.FAILURE,
            found=found,
            problem="newuidmap is not installed",
            mend=f"{INSTALL} uidmap",
        )
    if not (facts.subuid and facts.subgid):
        yield Check(
            name="subuid",
            verdict=Verdict.FAILURE,
            found=f"no range for {facts.user} in /etc/subuid or /etc/subgid",
            problem="containers of several users can't be unpacked or run",
            mend=f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {facts.user}"
            " && podman system migrate",
        )
    else:
        yield Check(name="subuid", verdict=Verdict.OK, found=f"ranges for {facts.user}")
    if facts.tun:
        yield Check(
            name="tun",
            verdict=Verdict.FAILURE,
            found=f"/dev/net/tun: {facts.tun}",
            problem="rootless pods get no network",
            mend="sudo modprobe tun" if facts.tun == "missing" else "sudo chmod 666 /dev/net/tun",
        )
    bridge = facts.trial.details.get("network", "") if facts.trial else ""
    if bridge == "slirp4netns":
        yield Check(
            name="rootless",
            verdict=Verdict.WARNING,
            found=found,
            chosen="slirp4netns: each pod behind a NAT of its own",
            problem="bridges do not work for this user: pods can't reach each other by address",
            mend="run ktui as root for Services between pods",
        )
    elif facts.trial is not None:
        yield Check(name="rootless", verdict=Verdict.OK, found=found, chosen="rootless pods on a bridge")


def _nft(facts: Facts) -> Iterator[Check]:
    if "nft" not in facts.programs:
        yield Check(
            name="nft",
            verdict=Verdict.WARNING,
            found="not installed",
            problem="Services get no cluster addresses",
            mend=f"{INSTALL} nftables",
        )
    elif facts.nft_error:
        yield Check(
            name="nft",
            verdict=Verdict.WARNING,
            found=facts.programs["nft"],
            problem=f"Services get no cluster addresses: {facts.nft_error}",
            mend="sudo modprobe nf_tables",
        )
    else:
        yield Check(name="nft", verdict=Verdict.OK, found=facts.programs["nft"])


def _ports(facts: Facts) -> Iterator[Check]:
    busy = ", ".join(map(str, facts.busy_ports))
    if facts.busy_ports and facts.engine_answers:
        yield Check(name="ports", verdict=Verdict.OK, found=f"in use: {busy}, while an engine runs")
    elif facts.busy_ports:
        yield Check(
            name="ports",
            verdict=Verdict.WARNING,
            found=f"in use: {busy}",
            problem="DNS for pods (53) or an Ingress (80, 443) can't listen there",
            mend=f"sudo ss -lntup 'sport = :{facts.busy_ports[0]}'   (shows who does)",
        )
    elif facts.uid != 0 and facts.first_unprivileged_port > min(PORTS):
        yield Check(
            name="ports",
            verdict=Verdict.WARNING,
            found=f"ports below {facts.first_unprivileged_port} are root's",
            problem="host ports and an Ingress below it can't be opened",
            mend=f"sudo sysctl net.ipv4.ip_unprivileged_port_start={min(PORTS)}",
        )
    else:
        yield Check(name="ports", verdict=Verdict.OK, found=f"free: {', '.join(map(str, PORTS))}")


def _subnet(facts: Facts) -> Iterator[Check]:
    if facts.identity is None or not facts.identity.subnet:
        return
    clash = facts.subnet_collision
    yield Check(
        name="subnet",
        verdict=Verdict.WARNING if clash else Verdict.OK,
        found=f"route {clash}" if clash else "no route meets the pods' subnet",
        chosen=f"{facts.identity.subnet} on {facts.identity.bridge}",
        problem="pods and that network can't reach each other" if clash else "",
        mend=f"podman network rm -f {facts.identity.network}   (ktui then takes another)" if clash else "",
    )


def _images(facts: Facts) -> Iterator[Check]:
    if "podman" not in facts.programs or facts.podman_error:
        return
    has_sample = SAMPLE_IMAGE in facts.images
    yield Check(
        name="images",
        verdict=Verdict.OK if has_sample else Verdict.WARNING,
        found=f"{len(facts.images)} in the local store" + (", the samples' among them" if has_sample else ""),
        problem="" if has_sample else f"sample_manifests/ need {SAMPLE_IMAGE}",
        mend="" if has_sample else "scripts/sample-image.sh",
    )


def _trial(facts: Facts) -> Iterator[Check]:
    if facts.engine_answers:
        return
    if facts.trial_error:
        yield Check(
            name="pod",
            verdict=Verdict.FAILURE,
            found="a pod could not be started",
            problem=facts.trial_error,
            mend=mend_for(facts.trial_error, facts.user) or "podman info; journalctl -e",
        )
    elif facts.trial is not None:
        yield Check(name="pod", verdict=Verdict.OK, found="a pod started and was removed again")


_PARTS: tuple[Callable[[Facts], Iterator[Check]], ...] = (
    _podman,
    _service,
    _oci_runtime,
    _helpers,
    _cgroups,
    _rootless,
    _nft,
    _ports,
    _subnet,
    _images,
    _trial,
)

_MENDS: tuple[tuple[str, str], ...] = (
    ("newuidmap", f"{INSTALL} uidmap"),
    ("no subuid ranges", "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"),
    ("cannot find mappings", "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"),
    ("hybrid mode", f"{INSTALL} runc"),
    ("/dev/net/tun", "sudo chmod 666 /dev/net/tun"),
    ("slirp4netns", f"{INSTALL} slirp4netns"),
    ("netavark", f"{INSTALL} netavark"),
    ("catatonit", f"{INSTALL} catatonit"),
    ("conmon", f"{INSTALL} conmon"),
    ("fuse-overlayfs", f"{INSTALL} fuse-overlayfs"),
    ("database graph driver", "podman system reset   (removes all of this user's containers and images)"),
    ("no space left", "podman image prune; df -h"),
    ("XDG_RUNTIME_DIR", "export XDG_RUNTIME_DIR=/run/user/$(id -u), or log in anew"),
)


def mend_for(complaint: str, user: str) -> str:
    """The command that mends what Podman complains of; "" when it is not known."""
    lowered = complaint.lower()
    return next((mend.format(user=user) for words, mend in _MENDS if words.lower() in lowered), "")
