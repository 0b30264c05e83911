"""Fixtures for controllers: worlds with and without nodes, and builders of objects."""

import pytest
from autoscaler_world import Agent
from controllers_world import (
    NODE_CONTROLLERS,
    World,
    deployment,
    owner,
    pod,
    replica_set,
    template,
)

from ktui.kube.resource import ObjectKey


@pytest.fixture
async def world():
    """All controllers but those about nodes: pods run on a node nobody watches over."""
    world = World(without=NODE_CONTROLLERS)
    await world.start()
    yield world
    await world.stop()


@pytest.fixture
async def world_with_nodes():
    """All controllers; nodes have to be made, and go quiet when their Lease isn't renewed."""
    world = World()
    await world.start()
    yield world
    await world.stop()


@pytest.fixture
async def agent(world):
    """The agent of the world's node, which tells what its pods use."""
    agent = Agent(world)
    world.server.register_node("node-1", agent)
    return agent


@pytest.fixture
def make():
    """Builders of objects, as a namespace: make.deployment(...), make.pod(...)."""

    class Make:
        pass

    made = Make()
    made.deployment, made.replica_set, made.pod, made.owner = deployment, replica_set, pod, owner
    made.template, made.key = template, ObjectKey
    return made
