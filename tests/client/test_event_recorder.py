"""Event recording: what is written, counted, combined, cut off and dropped."""

import asyncio

import pytest
from lightkube.models.core_v1 import Pod
from lightkube.models.meta_v1 import ObjectMeta

from ktui.client.events import QUEUE_SIZE, EventRecorder, reference
from ktui.kube.clock import FakeClock
from ktui.kube.errors import not_found, unavailable
from ktui.kube.kinds import EVENTS

POD = Pod(metadata=ObjectMeta(name="web-1", namespace="shop", uid="u1", resourceVersion="7"))


class EventsApi:
    """The two verbs a recorder uses, kept in a dict."""

    def __init__(self):
        self.events = {}
        self.down = False

    async def create(self, resource, obj, namespace=""):
        assert resource == EVENTS
        if self.down:
            raise unavailable("down")
        name = obj["metadata"]["name"]
        assert (namespace, name) not in self.events
        self.events[namespace, name] = obj
        return obj

    async def patch(self, resource, name, patch, namespace=""):
        if (namespace, name) not in self.events:
            raise not_found(EVENTS, name)
        self.events[namespace, name] |= patch

    @property
    def all(self):
        return list(self.events.values())


@pytest.fixture
def api():
    return EventsApi()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def recorder(api, clock):
    recorder = EventRecorder(api, "replicaset-controller", clock=clock)
    task = asyncio.create_task(recorder.run())
    yield recorder
    task.cancel()


async def test_an_event_says_what_who_when_and_about_whom(recorder, api):
    recorder.event(POD, "Normal", "Started", "Started container web", field_path="spec.containers{web}")
    await recorder.flush()
    (event,) = api.all
    assert event["metadata"]["namespace"] == "shop"
    assert event["metadata"]["name"].startswith("web-1.")
    assert event["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "shop",
        "name": "web-1",
        "uid": "u1",
        "resourceVersion": "7",
        "fieldPath": "spec.containers{web}",
    }
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-01-01T00:00:00Z"
    assert (event["type"], event["reason"], event["message"], event["count"]) == (
        "Normal",
        "Started",
        "Started container web",
        1,
    )
    assert event["source"] == {"component": "replicaset-controller"}
    assert event["reportingComponent"] == "replicaset-controller"


async def test_the_same_event_again_is_counted(recorder, api, clock):
    recorder.event(POD, "Warning", "BackOff", "again")
    await clock.advance(60)
    recorder.event(POD, "Warning", "BackOff", "again")
    recorder.event(POD, "Warning", "BackOff", "again")
    recorder.event(POD, "Normal", "BackOff", "again")
    await recorder.flush()
    counted, other = api.all
    assert counted["count"] == 3
    assert counted["firstTimestamp"] == "2026-01-01T00:00:00Z"
    assert counted["lastTimestamp"] == "2026-01-01T00:01:00Z"
    assert other["count"] == 1


async def test_an_expired_event_is_created_anew_with_its_count(recorder, api):
    recorder.event(POD, "Warning", "BackOff", "again")
    await recorder.flush()
    api.events.clear()
    recorder.event(POD, "Warning", "BackOff", "again")
    await recorder.flush()
    assert [event["count"] for event in api.all] == [2]


async def test_many_similar_events_are_combined(recorder, api):
    for number in range(12):
        recorder.event(POD, "Normal", "SuccessfulCreate", f"Created pod: {number}")
    await recorder.flush()
    messages = [event["message"] for event in api.all]
    assert len(messages) == 10
    assert messages[-1] == "(combined from similar events): Created pod: 11"
    assert api.all[-1]["count"] == 3


async def test_an_object_that_spams_is_cut_off_and_recovers_slowly(recorder, api, clock):
    for number in range(40):
        recorder.event(POD, "Normal", f"Reason{number}", "x")
    await recorder.flush()
    assert len(api.all) == 25
    recorder.event({"kind": "Node", "metadata": {"name": "n1"}}, "Normal", "Other", "x")
    await recorder.flush()
    assert len(api.all) == 26
    await clock.advance(301)
    recorder.event(POD, "Normal", "Late", "x")
    recorder.event(POD, "Normal", "Later", "x")
    await recorder.flush()
    assert len(api.all) == 27


async def test_an_api_that_is_down_costs_an_event_not_the_recorder(recorder, api):
    api.down = True
    recorder.event(POD, "Normal", "A", "lost")
    await recorder.flush()
    api.down = False
    recorder.event(POD, "Normal", "B", "kept")
    await recorder.flush()
    assert [event["message"] for event in api.all] == ["kept"]


async def test_one_recorder_writes_for_several_components(recorder, api):
    recorder.named("kubelet", host="node-1").event(POD, "Normal", "Started", "x")
    recorder.event(POD, "Normal", "Started", "x")
    await recorder.flush()
    assert [(event["source"], event["count"]) for event in api.all] == [
        ({"component": "kubelet", "host": "node-1"}, 1),
        ({"component": "replicaset-controller"}, 1),
    ]


async def test_a_full_queue_drops_and_never_blocks(api, clock):
    recorder = EventRecorder(api, "c", clock=clock)
    for number in range(QUEUE_SIZE + 5):
        recorder.event({"kind": "Node", "metadata": {"name": f"n{number}"}}, "Normal", "R", "m")
    task = asyncio.create_task(recorder.run())
    await recorder.flush()
    task.cancel()
    assert len(api.all) == QUEUE_SIZE


def test_an_event_of_a_cluster_scoped_object_lives_in_default():
    assert reference({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}) == {
        "apiVersion": "v1",
        "kind": "Node",
        "name": "n",
    }
    assert reference({"kind": "Node", "name": "n", "uid": "1"}, "x") == {
        "kind": "Node",
        "name": "n",
        "uid": "1",
        "fieldPath": "x",
    }
