"""kubectl's verbs on Jobs and CronJobs."""

from __future__ import annotations

from kubectl_engine import Kubectl, since


@since(23)
def test_a_job_is_created_awaited_and_described(kubectl: Kubectl):
    created = kubectl.ok("create", "job", "hello", "--image=work:1", "--", "echo", "hello")
    assert created == "job.batch/hello created\n"
    waited = kubectl.ok("wait", "--for=condition=complete", "job/hello", "--timeout=30s")
    assert waited == "job.batch/hello condition met\n"
    (row,) = kubectl.run("get", "jobs", "--no-headers").rows
    assert row[:3] == ["hello", "Complete", "1/1"]
    described = kubectl.ok("describe", "job", "hello")
    assert "Pods Statuses:" in described and "Completed" in described
    assert kubectl.ok("logs", "job/hello").endswith("hello\n")
    assert kubectl.ok("delete", "job", "hello").startswith('job.batch "hello" deleted')
    assert (
        kubectl.ok(
            "get", "pods", "-o", "name", "-l", "job-name=hello", "--field-selector=status.phase=Running"
        )
        == ""
    )


@since(23)
def test_a_job_fails(kubectl: Kubectl):
    job = """{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "bad"}, "spec": {
        "backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [
        {"name": "main", "image": "work:1", "command": ["false"]}]}}}}"""
    kubectl.ok("apply", "-f", "-", stdin=job)
    kubectl.ok("wait", "--for=condition=failed", "job/bad", "--timeout=30s")
    assert "field is immutable" in kubectl.fails(
        "patch", "job", "bad", "--type=merge", "-p", '{"spec": {"completions": 4}}'
    )


@since(23)
def test_a_cron_job_is_created_and_run_by_hand(kubectl: Kubectl):
    created = kubectl.ok(
        "create", "cronjob", "tick", "--image=work:1", "--schedule=@yearly", "--", "echo", "tick"
    )
    assert created == "cronjob.batch/tick created\n"
    assert kubectl.ok("create", "job", "now", "--from=cronjob/tick") == "job.batch/now created\n"
    kubectl.ok("wait", "--for=condition=complete", "job/now", "--timeout=30s")
    owner = "jsonpath={.metadata.ownerReferences[0].kind}/{.metadata.ownerReferences[0].name}"
    assert kubectl.ok("get", "job", "now", "-o", owner) == "CronJob/tick"
    (row,) = kubectl.run("get", "cronjobs", "--no-headers").rows
    assert row[:2] == ["tick", "@yearly"]
    assert "Schedule:" in kubectl.ok("describe", "cronjob", "tick")
    refused = kubectl.fails("create", "cronjob", "bad", "--image=work:1", "--schedule=now")
    assert "expected exactly 5 fields, found 1: [now]" in refused
