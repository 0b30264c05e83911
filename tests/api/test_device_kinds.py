"""The kinds of resource.k8s.io: what claims, slices and taints may say, and what is filled in."""

from __future__ import annotations

import copy

import pytest
from kind_bodies import CLUSTER_BODIES
from kind_cases import REGISTRY, created, errors, kind, update_errors

from ktui.engine.api.local import LocalClient
from ktui.engine.api.server import ApiServer
from ktui.kube.errors import StatusError
from ktui.kube.kinds import NAMESPACES, RESOURCE_CLAIMS

REF = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"


def body(plural):
    namespace = {} if "slice" in plural or "class" in plural or "rule" in plural else {"namespace": "default"}
    spec = copy.deepcopy(CLUSTER_BODIES[f"{plural}.resource.k8s.io"]["spec"])
    return {"metadata": {"name": "x", **namespace}, "spec": spec}


def claim(**devices):
    made = body("resourceclaims")
    made["spec"]["devices"].update(devices)
    return made


def request(**fields):
    return [{"name": "gpu", "exactly": {"deviceClassName": "a", **fields}}]


@pytest.mark.parametrize(
    ("devices", "error"),
    [
        (
            {"requests": [{"name": "gpu"}], "constraints": []},
            "spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required",
        ),
        (
            {"requests": request() * 2, "constraints": []},
            'spec.devices.requests[1]: Duplicate value: "gpu"',
        ),
        (
            {"requests": request(deviceClassName=""), "constraints": []},
            "spec.devices.requests[0].exactly.deviceClassName: Required value",
        ),
        (
            {"requests": request(allocationMode="All", count=2), "constraints": []},
            "spec.devices.requests[0].exactly.count: Invalid value: 2: must not be specified when allocationMode is "
            "'All'",
        ),
        (
            {"requests": request(tolerations=[{"operator": "Exists", "value": "a"}]), "constraints": []},
            'spec.devices.requests[0].exactly.tolerations[0].value: Invalid value: "a": must be empty for operator '
            "`Exists`",
        ),
        (
            {"constraints": [{"requests": ["any/small"], "matchAttribute": "a.b/c"}]},
            f'spec.devices.constraints[0].requests[0]: Invalid value: "any/small": {REF}',
        ),
        (
            {"constraints": [{"matchAttribute": "plain"}]},
            'spec.devices.constraints[0].matchAttribute: Invalid value: "plain": a fully qualified name must be a '
            "domain and a name separated by a slash",
        ),
        ({"config": [{}]}, "spec.devices.config[0].opaque: Required value"),
    ],
)
def test_what_a_claim_may_not_ask(devices, error):
    assert error in errors("resourceclaims", claim(**devices))


def test_a_selector_must_be_an_expression():
    selectors = [{"cel": {"expression": "device.driver =="}}]
    (error,) = errors("resourceclaims", claim(requests=request(selectors=selectors), constraints=[]))
    assert 'selectors[0].cel.expression: Invalid value: "device.driver ==": compilation failed' in error


def test_one_device_is_asked_for_unless_a_claim_says_how_many():
    requests = created("resourceclaims", body("resourceclaims"))["spec"]["devices"]["requests"]
    assert requests[0]["exactly"] == {
        "deviceClassName": "gpu.example.com",
        "allocationMode": "ExactCount",
        "count": 1,
    }
    assert requests[1]["firstAvailable"][0]["count"] == 1


def test_what_was_asked_stays():
    assert update_errors("resourceclaims", claim(config=[]), body("resourceclaims"))[0].endswith(
        "field is immutable"
    )


def allocated(device="gpu-0", **status):
    result = {"request": "gpu", "driver": "gpu.example.com", "pool": "p", "device": device}
    return {"allocation": {"devices": {"results": [result]}}, **status}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (allocated(), None),
        (
            {"reservedFor": [{"resource": "pods", "name": "p", "uid": "u"}]},
            "status.reservedFor: Forbidden: may not be specified when `allocated` is not set",
        ),
        (
            allocated(devices=[{"driver": "gpu.example.com", "pool": "p", "device": "gpu-1"}]),
            'status.devices[0]: Invalid value: "gpu.example.com/p/gpu-1": must be an allocated device in the claim',
        ),
        (allocated(""), "status.allocation.devices.results[0].device: Invalid value"),
    ],
)
def test_what_an_allocation_may_say(status, error):
    old = created("resourceclaims", body("resourceclaims"))
    found = kind("resourceclaims").validate_status({**old, "status": status}, old)
    texts = [f"{cause.field}: {cause.message}" for cause in found]
    assert [text for text in texts if not error or not text.startswith(error)] == []
    assert bool(texts) == bool(error)


def test_an_allocation_is_never_changed():
    old = {**created("resourceclaims", body("resourceclaims")), "status": allocated()}
    (cause,) = kind("resourceclaims").validate_status({**old, "status": allocated("gpu-1")}, old)
    assert (cause.field, cause.message.endswith("field is immutable")) == ("status.allocation", True)


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (
            {"allNodes": True},
            'spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, '
            "`perDeviceNodeSelection` is required, but multiple fields are set",
        ),
        ({"driver": ""}, "spec.driver: Required value"),
        (
            {"pool": {"name": "p", "resourceSliceCount": 0, "generation": 1}},
            "spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero",
        ),
        (
            {"devices": [{"name": "a", "attributes": {"v": {"version": "1"}}}]},
            'spec.devices[0].attributes[v].version: Invalid value: "1": must be a string compatible with semver.org '
            "spec 2.0.0",
        ),
        (
            {"devices": [{"name": "a", "attributes": {"v": {}}}]},
            'spec.devices[0].attributes[v]: Invalid value: "": exactly one value must be specified',
        ),
        (
            {"devices": [{"name": "a", "nodeName": "n"}]},
            "spec.devices[0]: Invalid value: `nodeName`, `nodeSelector` and `allNodes` can only be set if "
            "`perDeviceNodeSelection` is set to true in the ResourceSlice spec",
        ),
        (
            {"devices": [{"name": "a", "bindingConditions": ["ready"]}]},
            "spec.devices[0].bindingFailureConditions: Invalid value: []: bindingFailureConditions are required to "
            "use bindingConditions",
        ),
        ({"devices": [{"name": "a"}] * 129}, "spec.devices: Too many: 129: must have at most 128 items"),
    ],
)
def test_what_a_slice_may_not_say(spec, error):
    made = body("resourceslices")
    made["spec"].update(spec)
    assert error in errors("resourceslices", made)


def test_a_slice_stays_with_its_pool():
    moved = body("resourceslices")
    moved["spec"]["pool"]["name"] = "other"
    moved["spec"]["nodeName"] = "n2"
    found = update_errors("resourceslices", moved, body("resourceslices"))
    assert [text.partition(":")[0] for text in found] == ["spec.pool.name", "spec.nodeName"]


def test_a_taint_counts_from_when_it_was_set():
    rule = created("devicetaintrules", body("devicetaintrules"))
    rule["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    timed = kind("devicetaintrules").identify(rule)
    assert timed["spec"]["taint"]["timeAdded"] == "2026-01-01T00:00:00Z"
    again = kind("devicetaintrules").prepare_update(body("devicetaintrules"), timed)
    assert again["spec"]["taint"] == timed["spec"]["taint"]
    rule["spec"]["taint"]["effect"] = "Often"
    assert kind("devicetaintrules").validate_create(rule)[0].message == (
        'Unsupported value: "Often": supported values: "NoExecute", "NoSchedule", "None"'
    )


async def test_devices_of_others_are_for_namespaces_that_say_so(store, clock):
    server = ApiServer(store, REGISTRY, clock)
    await server.start()
    client = LocalClient(server, "test")
    asked = claim(requests=request(adminAccess=True), constraints=[])
    with pytest.raises(StatusError) as error:
        await client.create(RESOURCE_CLAIMS, asked)
    assert error.value.code == 422
    assert (
        "spec.devices.requests[0].adminAccess: Forbidden: admin access to devices requires the "
        "`resource.kubernetes.io/admin-access: true` label on the containing namespace"
    ) in error.value.message
    await client.create(RESOURCE_CLAIMS, body("resourceclaims"))
    granted = allocated()
    granted["allocation"]["devices"]["results"][0]["adminAccess"] = True
    with pytest.raises(StatusError) as error:
        await client.patch(RESOURCE_CLAIMS, "x", {"status": granted}, "default", subresource="status")
    assert "results[0].adminAccess: Forbidden" in error.value.message
    labels = {"metadata": {"labels": {"resource.kubernetes.io/admin-access": "true"}}}
    await client.patch(NAMESPACES, "default", labels)
    assert await client.patch(RESOURCE_CLAIMS, "x", {"status": granted}, "default", subresource="status")
