"""The walk along the schema: wrong types, unknown fields and canonical values, as kube-apiserver decodes."""

import pytest

from ktui.engine.api.validation.structure import validate_schema

POD = "io.k8s.api.core.v1.Pod"
DEPLOYMENT = "io.k8s.api.apps.v1.Deployment"
SECRET = "io.k8s.api.core.v1.Secret"
LEASE = "io.k8s.api.coordination.v1.Lease"


def test_a_sound_object_is_handed_back_as_it_is() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x", "labels": {"a": "b"}},
        "spec": {"containers": [{"name": "a", "image": "b", "resources": {"limits": {"cpu": "1"}}}]},
    }
    report = validate_schema(POD, pod)
    assert report.object is pod
    assert not report.causes and not report.unknown_fields


@pytest.mark.parametrize(
    ("definition", "obj", "field", "message"),
    [
        (
            DEPLOYMENT,
            {"spec": {"replicas": "two"}},
            "spec.replicas",
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            DEPLOYMENT,
            {"spec": {"replicas": 1.5}},
            "spec.replicas",
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            DEPLOYMENT,
            {"spec": {"template": {"spec": {"containers": [{"env": [{"name": "A", "value": 1}]}]}}}},
            "spec.template.spec.containers[0].env[0].value",
            "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of "
            "type string",
        ),
        (
            POD,
            {"spec": {"containers": {"name": "a"}}},
            "spec.containers",
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            POD,
            {"spec": []},
            "spec",
            "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec",
        ),
        (
            POD,
            {"metadata": {"labels": {"on": True}}},
            "metadata.labels[on]",
            "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            POD,
            {"metadata": {"labels": ["a"]}},
            "metadata.labels",
            "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
        (
            POD,
            {"spec": {"hostNetwork": "yes"}},
            "spec.hostNetwork",
            "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool",
        ),
        (
            POD,
            {"spec": {"priority": 3000000000}},
            "spec.priority",
            "json: cannot unmarshal number 3000000000 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            POD,
            {"spec": {"containers": [{"resources": {"limits": {"cpu": "one"}}}]}},
            "spec.containers[0].resources.limits[cpu]",
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            POD,
            {"metadata": {"creationTimestamp": "yesterday"}},
            "metadata.creationTimestamp",
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
        ),
        (SECRET, {"data": {"a": "b!"}}, "data[a]", "illegal base64 data at input byte 1"),
        (
            SECRET,
            {"data": {"a": 1}},
            "data[a]",
            "json: cannot unmarshal number into Go struct field Secret.data of type []uint8",
        ),
        (
            POD,
            {"spec": {"containers": [{"livenessProbe": {"httpGet": {"port": True}}}]}},
            "spec.containers[0].livenessProbe.httpGet.port",
            "json: cannot unmarshal bool into Go struct field "
            "HTTPGetAction.spec.containers.livenessProbe.httpGet.port of type int32",
        ),
    ],
)
def test_a_wrong_type_is_told_as_the_api_server_tells_it(definition, obj, field, message) -> None:
    causes = validate_schema(definition, obj).causes
    assert [(cause.field, cause.reason, cause.message) for cause in causes] == [
        (field, "FieldValueTypeInvalid", message)
    ]


def test_every_error_is_listed() -> None:
    report = validate_schema(
        POD, {"metadata": 1, "spec": {"nodeName": 2, "containers": [{"name": 3}, {"image": []}]}}
    )
    assert [cause.field for cause in report.causes] == [
        "metadata",
        "spec.nodeName",
        "spec.containers[0].name",
        "spec.containers[1].image",
    ]


def test_unknown_fields_are_named_and_dropped() -> None:
    report = validate_schema(
        DEPLOYMENT,
        {
            "specs": {},
            "spec": {"replica": 1, "template": {"spec": {"containers": [{"nam": "x", "name": "y"}]}}},
        },
    )
    assert report.unknown_fields == ["specs", "spec.replica", "spec.template.spec.containers[0].nam"]
    assert report.strict_errors[1] == 'unknown field "spec.replica"'
    assert report.object == {"spec": {"template": {"spec": {"containers": [{"name": "y"}]}}}}


def test_nulls_are_dropped_and_become_zero_values_in_lists_and_maps() -> None:
    report = validate_schema(
        POD,
        {
            "metadata": {"creationTimestamp": None, "annotations": {"a": None}},
            "spec": {"nodeName": None, "containers": [None, {"command": [None, "x"]}]},
        },
    )
    assert not report.causes and not report.unknown_fields
    assert report.object == {
        "metadata": {"annotations": {"a": ""}},
        "spec": {"containers": [{}, {"command": ["", "x"]}]},
    }


def test_values_get_their_canonical_form_and_the_original_stays() -> None:
    original = {
        "metadata": {"creationTimestamp": "2026-01-01T01:00:00+01:00"},
        "spec": {
            "priority": 3.0,
            "containers": [{"resources": {"limits": {"cpu": 0.5, "memory": "1024Mi", "x": "1"}}}],
        },
    }
    report = validate_schema(POD, original)
    assert not report.causes
    assert report.object["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert report.object["spec"]["priority"] == 3
    limits = report.object["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "500m", "memory": "1Gi", "x": "1"}
    assert original["spec"]["containers"][0]["resources"]["limits"]["cpu"] == 0.5


def test_micro_times_keep_their_microseconds() -> None:
    lease = {"spec": {"renewTime": "2026-01-01T00:00:00.123456Z"}}
    assert validate_schema(LEASE, lease).object is lease
    assert validate_schema(LEASE, {"spec": {"renewTime": "2026-01-01T00:00:00Z"}}).object == {
        "spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}
    }


def test_definitions_that_refer_to_themselves_are_walked() -> None:
    schema = {"properties": {"a": {"items": {"properties": {"b": {"type": 1}}}}}}
    report = validate_schema(
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", schema
    )
    assert not report.unknown_fields
