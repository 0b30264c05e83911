"""Jobs and CronJobs to put into a world, and pods brought to their ends."""

from ktui.kube.kinds import JOBS, PODS


def job_template(**spec):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "work:1"}]}}
    return {"template": template, **spec}


def job(name="work", **spec):
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default"},
        "spec": job_template(**spec),
    }


def cron_job(name="tick", schedule="*/10 * * * *", **spec):
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"schedule": schedule, "jobTemplate": {"spec": job_template()}, **spec},
    }


async def end(world, pod, phase="Succeeded", code=None, conditions=()):
    """Bring a pod to its end, as its kubelet would."""
    name = pod if isinstance(pod, str) else pod["metadata"]["name"]
    code = (0 if phase == "Succeeded" else 1) if code is None else code
    stamp = world.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    ended = {"exitCode": code, "finishedAt": stamp, "startedAt": stamp}
    container = {
        "name": "main",
        "image": "work:1",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": ended},
    }
    status = {"phase": phase, "containerStatuses": [container], "conditions": list(conditions)}
    await world.client.patch(PODS, name, {"status": status}, "default", subresource="status")
    await world.settle()


async def running(world):
    """The pods that have not ended and are not going, by name."""
    pods = [pod for pod in await world.pods() if pod["status"]["phase"] not in ("Succeeded", "Failed")]
    return sorted(pods, key=lambda pod: pod["metadata"]["name"])


async def indexes(world):
    """The indexes of running pods."""
    key = "batch.kubernetes.io/job-completion-index"
    return sorted(int(pod["metadata"]["annotations"][key]) for pod in await running(world))


async def conditions(world, name="work"):
    """The conditions of a Job that are true, with their reasons."""
    found = (await world.get(JOBS, name))["status"].get("conditions") or ()
    return {each["type"]: each["reason"] for each in found if each["status"] == "True"}
