"""PodSecurity: what each level refuses, warns of, and asks of a namespace's labels."""

import pytest
from crd_world import CrdWorld

from ktui.engine.api.admission.pod_standards import LEVELS, violations
from ktui.kube.errors import StatusError
from ktui.kube.kinds import DEPLOYMENTS, NAMESPACES, PODS

RESTRICTED_CONTEXT = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture
async def world():
    world = CrdWorld()
    await world.start()
    yield world
    await world.stop()
    await world.store.close()


def container(name="a", context=None, **more):
    return {"name": name, "image": "i", "securityContext": context or {}, **more}


def fine(**context):
    return container(context={**RESTRICTED_CONTEXT, **context})


def pod(*containers, name="p", **spec):
    return {"metadata": {"name": name}, "spec": {"containers": list(containers) or [container()], **spec}}


async def label(world, **labels):
    patch = {f"pod-security.kubernetes.io/{key.replace('_', '-')}": value for key, value in labels.items()}
    return await world.client.patch(NAMESPACES, "default", {"metadata": {"labels": patch}})


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (pod(hostNetwork=True, hostPID=True), "host namespaces (hostNetwork=true, hostPID=true)"),
        (pod(container(context={"privileged": True})), 'privileged (container "a" must not set securityContext.privileged=true)'),
        (
            pod(container("a", {"capabilities": {"add": ["SYS_TIME"]}}), container("b", {"capabilities": {"add": ["NET_ADMIN", "CHOWN"]}})),
            'non-default capabilities (containers "a", "b" must not include "NET_ADMIN", "SYS_TIME" in securityContext.capabilities.add)',
        ),
        (pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), 'hostPath volumes (volume "v")'),
        (pod(container(ports=[{"containerPort": 80, "hostPort": 80}])), 'hostPort (container "a" uses hostPort 80)'),
        (pod(container(context={"procMount": "Unmasked"})), 'procMount (container "a" must not set securityContext.procMount to "Unmasked")'),
        (
            pod(securityContext={"seLinuxOptions": {"type": "spc_t", "user": "u"}}),
            'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
        ),
        (
            pod(securityContext={"seccompProfile": {"type": "Unconfined"}}),
            'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
        ),
        (pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}), "forbidden sysctls (kernel.msgmax)"),
        (
            pod(container(livenessProbe={"httpGet": {"host": "10.0.0.1", "port": 80}})),
            'probe or lifecycle host (container "a" uses probe or lifecycle host "10.0.0.1")',
        ),
    ],
)  # fmt: skip
def test_baseline(spec, text):
    assert violations("baseline", {}, spec["spec"]) == text
    assert violations("privileged", {}, spec["spec"]) == ""


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (pod(fine()), ""),
        (
            pod(),
            'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), '
            'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]), '
            'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), '
            'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
        ),
        (pod(fine(runAsUser=0)), 'runAsUser=0 (container "a" must not set runAsUser=0)'),
        (
            pod(fine(runAsNonRoot=False), securityContext={"runAsNonRoot": True}),
            'runAsNonRoot != true (container "a" must not set securityContext.runAsNonRoot=false)',
        ),
        (
            pod(fine(), volumes=[{"name": "v", "hostPath": {}}, {"name": "n", "nfs": {}}, {"name": "e", "emptyDir": {}}]),
            'restricted volume types (volumes "v", "n" use restricted volume types "hostPath", "nfs")',
        ),
    ],
)  # fmt: skip
def test_restricted(spec, text):
    assert violations("restricted", {}, spec["spec"]) == text


async def test_enforce_refuses_pods_and_not_what_makes_them(world):
    await label(world, enforce="restricted", enforce_version="v1.30")
    with pytest.raises(StatusError) as caught:
        await world.create(pod(fine(privileged=True, allowPrivilegeEscalation=True)), PODS)
    assert caught.value.code == 403
    assert caught.value.message.startswith(
        'pods "p" is forbidden: violates PodSecurity "restricted:v1.30": privileged (container "a" must not'
    )
    await world.create(pod(fine()), PODS)
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    await world.create({"metadata": {"name": "d"}, "spec": spec}, DEPLOYMENTS)
    assert world.warnings == []


async def test_warn_tells_who_creates_pods_or_workloads(world):
    await label(world, warn="baseline")
    await world.create(pod(hostIPC=True), PODS)
    expected = 'would violate PodSecurity "baseline:latest": host namespaces (hostIPC=true)'
    assert world.warnings == [expected]
    world.warnings.clear()
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod(hostIPC=True)["spec"]}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    await world.create({"metadata": {"name": "d"}, "spec": spec}, DEPLOYMENTS)
    assert world.warnings == [expected]


async def test_running_pods_may_be_changed_where_the_standard_does_not_look(world):
    await world.create(pod(hostIPC=True), PODS)
    await label(world, enforce="baseline")
    assert world.warnings == [
        'existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:latest"',
        "p: host namespaces (hostIPC=true)",
    ]
    await world.client.patch(PODS, "p", {"metadata": {"labels": {"a": "b"}}}, "default")
    await world.client.delete(PODS, "p", "default")


async def test_labels_that_name_no_level_are_refused(world):
    with pytest.raises(StatusError) as caught:
        await label(world, enforce="strict", warn_version="1.2")
    assert caught.value.code == 422
    assert [cause.message for cause in caught.value.causes] == [
        'Invalid value: "strict": must be one of privileged, baseline, restricted',
        'Invalid value: "1.2": must be "latest" or "v1.x"',
    ]


def test_stricter_levels_allow_no_more():
    assert list(LEVELS) == ["privileged", "baseline", "restricted"]
    odd = pod(hostNetwork=True, volumes=[{"name": "v", "hostPath": {}}])["spec"]
    assert violations("baseline", {}, odd)
    assert violations("restricted", {}, odd)
