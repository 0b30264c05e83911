"""kubectl's verbs on objects, with the output they have on any cluster."""

from __future__ import annotations

import json

import yaml
from kubectl_engine import WEB, Kubectl, ended, line_of, since


def test_version_names_the_servers_release(admin: Kubectl):
    versions = json.loads(admin.ok("version", "-o", "json"))
    assert versions["serverVersion"]["gitVersion"].startswith("v1.37.")


def test_api_resources_and_versions(admin: Kubectl):
    rows = [line.split() for line in admin.ok("api-resources", "--no-headers").splitlines()]
    assert ["pods", "po", "v1", "true", "Pod"] in rows
    assert ["deployments", "deploy", "apps/v1", "true", "Deployment"] in rows
    names = admin.ok("api-resources", "--verbs=list,watch", "--namespaced=false", "-o", "name")
    assert {"nodes", "namespaces"} <= set(names.split())
    assert {"v1", "apps/v1", "coordination.k8s.io/v1"} <= set(admin.ok("api-versions").split())


def test_get_prints_tables(web: Kubectl):
    lines = web.ok("get", "deployments").splitlines()
    assert lines[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert lines[1].split()[:4] == ["web", "2/2", "2", "2"]
    wide = web.ok("get", "deploy", "web", "-o", "wide").splitlines()
    assert wide[0].split()[-3:] == ["CONTAINERS", "IMAGES", "SELECTOR"]
    assert wide[1].split()[-3:] == ["main", "web:1", "app=web"]
    pods = web.ok("get", "pods", "--no-headers", "--show-labels", "--sort-by=.metadata.name").splitlines()
    assert len(pods) == 2
    assert all(line.split()[1:3] == ["1/1", "Running"] and "app=web" in line for line in pods)


def test_get_prints_other_forms(web: Kubectl):
    assert web.ok("get", "deploy", "-o", "name") == "deployment.apps/web\n"
    assert web.ok("get", "deploy/web", "-o", "jsonpath={.spec.replicas}") == "2"
    assert web.ok("get", "deploy", "-o", "custom-columns=N:.metadata.name,R:.spec.replicas").split() == [
        "N",
        "R",
        "web",
        "2",
    ]
    assert web.ok("get", "deploy", "web", "-o", "go-template={{.metadata.name}}") == "web"
    assert yaml.safe_load(web.ok("get", "deploy", "web", "-o", "yaml"))["kind"] == "Deployment"
    listed = json.loads(web.ok("get", "pods", "-o", "json", "-l", "app=web"))
    assert (listed["kind"], len(listed["items"])) == ("List", 2)


def test_get_of_nothing_and_of_what_is_not_there(kubectl: Kubectl):
    result = kubectl.run("get", "pods")
    assert (result.code, result.err) == (0, f"No resources found in {kubectl.namespace} namespace.\n")
    assert kubectl.fails("get", "pod", "no") == 'Error from server (NotFound): pods "no" not found\n'
    assert kubectl.fails("get", "nonsense") == (
        'error: the server doesn\'t have a resource type "nonsense"\n'
    )
    assert kubectl.ok("get", "pod", "no", "--ignore-not-found") == ""


def test_get_goes_through_pages(kubectl: Kubectl):
    for number in range(5):
        kubectl.ok("create", "configmap", f"c{number}")
    assert len(kubectl.ok("get", "configmaps", "--chunk-size=2", "-o", "name").split()) >= 5


@since(24)
def test_get_watches(kubectl: Kubectl):
    process = kubectl.start("get", "configmaps", "-w", "--output-watch-events", "--no-headers")
    try:
        kubectl.ok("create", "configmap", "seen", "--from-literal=a=b")
        while not (line := line_of(process)).split()[1].startswith("seen"):
            pass
        assert line.split()[:3] == ["ADDED", "seen", "1"]
        kubectl.ok("patch", "configmap", "seen", "-p", '{"data":{"c":"d"}}')
        assert line_of(process).split()[:3] == ["MODIFIED", "seen", "2"]
        kubectl.ok("delete", "configmap", "seen")
        assert line_of(process).split()[:2] == ["DELETED", "seen"]
    finally:
        ended(process)


def test_describe_puts_an_object_with_its_events(web: Kubectl):
    text = web.ok("describe", "deployment", "web")
    assert "Replicas:               2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in text
    assert "ScalingReplicaSet" in text
    # Told of several, newer ones leave events out.
    assert "Successfully assigned" in web.ok("describe", "pods", "-l", "app=web", "--show-events")
    assert "Ready" in web.ok("describe", "nodes")


def test_apply_makes_changes_and_notices_none(kubectl: Kubectl):
    assert kubectl.ok("apply", "-f", "-", stdin=WEB) == "deployment.apps/web created\n"
    assert kubectl.ok("apply", "-f", "-", stdin=WEB) == "deployment.apps/web unchanged\n"
    assert kubectl.ok("apply", "-f", "-", stdin=WEB.replace("web:1", "web:2")) == (
        "deployment.apps/web configured\n"
    )
    assert kubectl.ok("apply", "--dry-run=server", "-f", "-", stdin=WEB).endswith("(server dry run)\n")
    assert kubectl.ok("apply", "view-last-applied", "deployment/web").startswith("apiVersion: apps/v1\n")


def test_apply_removes_what_was_left_out(kubectl: Kubectl):
    both = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b, c: d}\n"
    kubectl.ok("apply", "-f", "-", stdin=both)
    kubectl.ok("apply", "-f", "-", stdin=both.replace(", c: d", ""))
    assert json.loads(kubectl.ok("get", "configmap", "c", "-o", "jsonpath={.data}")) == {"a": "b"}


def test_apply_on_the_server_guards_fields(kubectl: Kubectl):
    assert kubectl.ok("apply", "--server-side", "-f", "-", stdin=WEB) == (
        "deployment.apps/web serverside-applied\n"
    )
    error = kubectl.fails(
        "apply",
        "--server-side",
        "--field-manager=other",
        "-f",
        "-",
        stdin=WEB.replace("replicas: 2", "replicas: 3"),
    )
    assert 'conflict with "kubectl": .spec.replicas' in error
    kubectl.ok(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=other",
        "-f",
        "-",
        stdin=WEB.replace("replicas: 2", "replicas: 3"),
    )
    assert kubectl.ok("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "3"


@since(26)
def test_unknown_fields_are_refused(kubectl: Kubectl):
    error = kubectl.fails("apply", "-f", "-", stdin=WEB.replace("  replicas: 2", "  replica: 2"))
    assert 'strict decoding error: unknown field "spec.replica"' in error
    result = kubectl.run(
        "apply", "--validate=warn", "-f", "-", stdin=WEB.replace("  replicas: 2", "  replica: 2")
    )
    assert result.code == 0
    assert 'Warning: unknown field "spec.replica"' in result.err


def test_an_invalid_object_is_refused_field_by_field(kubectl: Kubectl):
    error = kubectl.fails("apply", "-f", "-", stdin=WEB.replace("replicas: 2", "replicas: -2"))
    assert error == (
        'The Deployment "web" is invalid: spec.replicas: Invalid value: -2: must be greater than or equal to 0\n'
    )


def test_diff_shows_what_apply_would_change(web: Kubectl):
    assert web.ok("diff", "-f", "-", stdin=WEB) == ""
    result = web.run("diff", "-f", "-", stdin=WEB.replace("web:1", "web:2"))
    assert result.code == 1
    assert "-      - image: web:1\n+      - image: web:2\n" in result.out


def test_edit_saves_what_the_editor_wrote(web: Kubectl):
    web.environment["KUBE_EDITOR"] = "sed -i s/web:1/web:9/"
    assert web.ok("edit", "deployment/web") == "deployment.apps/web edited\n"
    assert (
        web.ok("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}") == "web:9"
    )


@since(24)
def test_the_three_kinds_of_patch(web: Kubectl):
    web.ok(
        "patch",
        "deploy",
        "web",
        "-p",
        '{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"a"}]}}}}',
    )
    web.ok("patch", "deploy", "web", "--type=merge", "-p", '{"metadata":{"labels":{"x":"y"}}}')
    web.ok(
        "patch", "deploy", "web", "--type=json", "-p", '[{"op":"replace","path":"/spec/replicas","value":1}]'
    )
    found = json.loads(web.ok("get", "deploy", "web", "-o", "json"))
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "a"
    assert found["metadata"]["labels"] == {"app": "web", "x": "y"}
    assert found["spec"]["replicas"] == 1
    assert web.ok("patch", "deploy", "web", "-p", "{}") == "deployment.apps/web patched (no change)\n"
    assert web.ok(
        "patch", "deploy", "web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":2}}'
    ).endswith("web patched\n")


def test_replace(web: Kubectl):
    assert web.ok("replace", "-f", "-", stdin=WEB.replace("web:1", "web:2")) == (
        "deployment.apps/web replaced\n"
    )
    web.ok("rollout", "status", "deployment/web", "--timeout=30s")
    replaced = web.ok("replace", "--force", "--grace-period=0", "-f", "-", stdin=WEB)
    assert "deployment.apps/web replaced" in replaced


@since(24)
def test_label_and_annotate(web: Kubectl):
    assert web.ok("label", "deploy", "web", "tier=front") == "deployment.apps/web labeled\n"
    assert "already has a value" in web.fails("label", "deploy", "web", "tier=back")
    web.ok("label", "deploy", "web", "tier=back", "--overwrite")
    assert web.ok("label", "deploy", "web", "tier-") == "deployment.apps/web unlabeled\n"
    assert web.ok("annotate", "deploy", "web", "note=hi") == "deployment.apps/web annotated\n"


@since(24)
def test_create_makes_each_kind(kubectl: Kubectl):
    assert kubectl.ok("create", "configmap", "c", "--from-literal=a=b") == "configmap/c created\n"
    assert kubectl.ok("create", "secret", "generic", "s", "--from-literal=a=b") == "secret/s created\n"
    assert kubectl.ok("create", "serviceaccount", "bot") == "serviceaccount/bot created\n"
    assert kubectl.ok("create", "deployment", "d", "--image=i") == "deployment.apps/d created\n"
    assert kubectl.ok("get", "secret", "s", "-o", "jsonpath={.data.a}") == "Yg=="
    assert kubectl.fails("create", "configmap", "c") == (
        'error: failed to create configmap: configmaps "c" already exists\n'
    )
    generated = "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: g-}\n"
    assert kubectl.ok("create", "-f", "-", stdin=generated).startswith("configmap/g-")


def test_run_makes_a_pod(kubectl: Kubectl):
    assert kubectl.ok("run", "one", "--image=i") == "pod/one created\n"
    assert (
        kubectl.ok("wait", "--for=condition=Ready", "pod/one", "--timeout=30s") == "pod/one condition met\n"
    )


@since(27)
def test_explain_knows_fields(admin: Kubectl):
    text = admin.ok("explain", "pod.spec.containers.image")
    assert text.startswith("KIND:       Pod\nVERSION:    v1\n\nFIELD: image <string>\n")
    assert "ports\t<[]ContainerPort>" in admin.ok("explain", "deployment", "--recursive")
    assert 'field "nonsense" does not exist' in admin.fails("explain", "pod.nonsense")


@since(24)
def test_delete_by_name_selector_and_file(web: Kubectl):
    web.ok("create", "configmap", "c")
    assert web.ok("delete", "configmap", "c").startswith('configmap "c" deleted')
    assert web.fails("delete", "configmap", "c") == (
        'Error from server (NotFound): configmaps "c" not found\n'
    )
    deleted = web.ok("delete", "pods", "-l", "app=web", "--grace-period=1")
    assert deleted.count("deleted") == 2
    assert web.ok("delete", "-f", "-", stdin=WEB).startswith('deployment.apps "web" deleted')
    web.ok("wait", "--for=delete", "pods", "-l", "app=web", "--timeout=30s")


def test_cascade_decides_on_dependents(web: Kubectl):
    web.ok("delete", "deployment", "web", "--cascade=orphan")
    assert len(web.ok("get", "replicasets", "-o", "name").split()) == 1
    web.ok("delete", "replicasets", "--all", "--cascade=foreground")
    assert web.ok("get", "replicasets", "-o", "name") == ""


def test_delete_all_of_a_namespace(web: Kubectl):
    assert web.ok("delete", "namespace", web.namespace) == f'namespace "{web.namespace}" deleted\n'
    assert "not found" in web.fails("get", "namespace", web.namespace)
