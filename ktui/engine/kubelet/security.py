"""A container's security settings, merged from its own and the pod's securityContext, and the runAsNonRoot check.

Pure. The container's field wins over the pod's; the wording of refusals is the kubelet's.
"""

from __future__ import annotations

from pathlib import Path

from lightkube.models.core_v1 import Container, Pod, PodSecurityContext, SeccompProfile, SecurityContext

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.environment import ConfigError
from ktui.engine.kubelet.runtime.base import ImageRecord, Security


def container_security(pod: Pod, container: Container, image: ImageRecord, seccomp_dir: Path) -> Security:
    """What the runtime is to apply. Raises ConfigError when runAsNonRoot can't be kept."""
    of_pod = pods.spec(pod).securityContext or PodSecurityContext()
    own = container.securityContext or SecurityContext()
    user = own.runAsUser if own.runAsUser is not None else of_pod.runAsUser
    group = own.runAsGroup if own.runAsGroup is not None else of_pod.runAsGroup
    non_root = own.runAsNonRoot if own.runAsNonRoot is not None else of_pod.runAsNonRoot
    if non_root:
        verify_non_root(pod, container, user, image)
    capabilities = own.capabilities
    groups = list(of_pod.supplementalGroups or ())
    if of_pod.fsGroup is not None and of_pod.fsGroup not in groups:
        groups.append(of_pod.fsGroup)
    return Security(
        user=_user(user, group, image),
        supplemental_groups=groups,
        add_capabilities=list((capabilities.add if capabilities else None) or ()),
        drop_capabilities=list((capabilities.drop if capabilities else None) or ()),
        privileged=bool(own.privileged),
        read_only_root_filesystem=bool(own.readOnlyRootFilesystem),
        no_new_privileges=own.allowPrivilegeEscalation is False,
        seccomp_profile=_seccomp(own.seccompProfile or of_pod.seccompProfile, seccomp_dir),
    )


def verify_non_root(pod: Pod, container: Container, user: int | None, image: ImageRecord) -> None:
    """Raise ConfigError unless the container is known not to run as root."""
    who = f'(pod: "{pods.full_name(pod)}", container: {container.name})'
    if user is not None:
        if user == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy {who}")
        return
    image_user = image.user.partition(":")[0]
    if image_user in ("", "0"):
        raise ConfigError(f"container has runAsNonRoot and image will run as root {who}")
    if not image_user.isdigit():
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({image_user}), "
            f"cannot verify user is non-root {who}"
        )


def _user(user: int | None, group: int | None, image: ImageRecord) -> str:
    if group is None:
        return "" if user is None else str(user)
    name = str(user) if user is not None else image.user.partition(":")[0] or "0"
    return f"{name}:{group}"


def _seccomp(profile: SeccompProfile | None, seccomp_dir: Path) -> str:
    """The kubelet's `seccompDefault: true`: without a profile the runtime's default applies."""
    if profile is None or profile.type == "RuntimeDefault":
        return ""
    if profile.type == "Localhost":
        return str(seccomp_dir / (profile.localhostProfile or ""))
    return "unconfined"
