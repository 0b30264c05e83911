"""What tests of autoscalers share: a node's agent with figures of one's choice, objects, and what became of them."""

from ktui.kube.clock import rfc3339
from ktui.kube.kinds import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS


class Agent:
    """A node's agent that says of every running pod that it uses so much."""

    def __init__(self, world):
        self.world = world
        self.cpu, self.memory = "100m", "64Mi"
        self.silent = False

    async def stats(self):
        if self.silent:
            return []
        now = rfc3339(self.world.clock.now())
        return [
            {
                "apiVersion": "metrics.k8s.io/v1beta1",
                "kind": "PodMetrics",
                "metadata": {key: pod["metadata"][key] for key in ("name", "namespace", "labels")},
                "timestamp": now,
                "window": "15s",
                "containers": [{"name": "web", "usage": {"cpu": self.cpu, "memory": self.memory}}],
            }
            for pod in await self.world.pods()
            if pod["status"].get("phase") == "Running"
        ]


def autoscaler(name="web", kind="Deployment", version="apps/v1", **spec):
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": version, "kind": kind, "name": "web"},
            "maxReplicas": 10,
            "metrics": [cpu(50)],
            **spec,
        },
    }


def cpu(share):
    target = {"type": "Utilization", "averageUtilization": share}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def deployment(make, replicas=2, requests=None, **spec):
    made = make.deployment(replicas=replicas, **spec)
    [container] = made["spec"]["template"]["spec"]["containers"]
    container["resources"] = {"requests": requests or {"cpu": "200m", "memory": "128Mi"}}
    return made


async def status(world, name="web"):
    return (await world.get(HORIZONTAL_POD_AUTOSCALERS, name)).get("status") or {}


async def replicas(world):
    return (await world.get(DEPLOYMENTS, "web"))["spec"]["replicas"]


async def why(world, kind, name="web"):
    return await world.condition(name, kind, HORIZONTAL_POD_AUTOSCALERS)
