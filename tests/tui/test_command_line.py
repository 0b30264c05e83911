"""The `:` line and its completion; views and the way back."""

from __future__ import annotations

import pytest

from ktui.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, REPLICA_SETS
from ktui.kube.resource import Resource
from ktui.screens.actions import REGISTRY
from ktui.screens.catalog import Catalog
from ktui.screens.command_line import CommandError, Goto, Run, complete_command, parse_command
from ktui.screens.view import Trail, View, plural_kind

CATALOG = Catalog([PODS, DEPLOYMENTS, REPLICA_SETS, CONFIG_MAPS, NAMESPACES])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pods", Goto(PODS)),
        ("po", Goto(PODS)),
        ("Pod", Goto(PODS)),
        ("deploy kube-system", Goto(DEPLOYMENTS, "kube-system")),
        ("dp -n kube-system", Goto(DEPLOYMENTS, "kube-system")),
        ("deployments.apps", Goto(DEPLOYMENTS)),
        ("rs -A", Goto(REPLICA_SETS, "")),
        ("po all", Goto(PODS, "")),
        ("po /two words", Goto(PODS, None, "two words")),
        ("po shop -l app=web", Goto(PODS, "shop", "-l app=web")),
        (":cm", Goto(CONFIG_MAPS)),
    ],
)
def test_kinds_are_found_by_any_of_their_names(text: str, expected: Goto) -> None:
    assert parse_command(text, CATALOG, REGISTRY) == expected


def test_commands_of_actions() -> None:
    parsed = parse_command("ns shop", CATALOG, REGISTRY)
    # `ns` is a kind and a command; with a name it changes the namespace, as in k9s.
    assert isinstance(parsed, Run)
    assert parsed.argument == "shop"
    quit_command = parse_command("q", CATALOG, REGISTRY)
    assert isinstance(quit_command, Run)
    assert quit_command.action.id == "quit"


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "type a kind"), ("podz", "Did you mean pods?"), ("xyzzy", ":help"), ("po a b", "one namespace")],
)
def test_what_is_no_command_says_what_to_type(text: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        parse_command(text, CATALOG, REGISTRY)


def test_completion_offers_kinds_then_namespaces() -> None:
    def complete(text: str) -> str | None:
        return next(iter(complete_command(text, CATALOG, REGISTRY, ["default", "kube-system"])), None)

    assert complete("de") == "deployments"
    assert complete("deploy kube") == "deploy kube-system"
    assert complete("deploy default x") is None
    assert complete("qu") == "quit"
    assert complete("q de") is None


def test_completion_offers_what_a_command_takes() -> None:
    def complete(text: str) -> list[str]:
        taken = {"theme": ["ktui-dark", "ktui-light"], "namespaces": ["all", "default"]}
        return list(
            complete_command(text, CATALOG, REGISTRY, ["kube-system"], lambda it: taken.get(it.id, ()))
        )

    assert complete("theme kt") == ["theme ktui-dark", "theme ktui-light"]
    assert complete("ns de") == ["ns default"]
    assert complete("theme ku") == []


def test_kinds_that_cannot_be_listed_are_no_views() -> None:
    bindings = Resource("", "v1", "bindings", "Binding", True, verbs=("create",))
    assert Catalog([bindings]).find("bindings") is None


def test_plurals_are_spelled_as_kinds() -> None:
    policy = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", True)
    assert [plural_kind(r) for r in (PODS, REPLICA_SETS, policy)] == [
        "Pods",
        "ReplicaSets",
        "NetworkPolicies",
    ]


def test_the_trail_goes_back_and_along_the_history() -> None:
    trail = Trail()
    pods, deployments, below = View(resource=PODS), View(resource=DEPLOYMENTS), View(resource=PODS, about="x")
    trail.go(pods)
    trail.go(deployments)
    trail.drill(below)
    assert trail.back()
    assert trail.view is deployments
    assert not trail.back()
    assert trail.step(-1)
    assert trail.view is deployments
    assert trail.step(-1)
    assert trail.view is pods
    assert not trail.step(-1)
    assert trail.step(1)
    assert trail.step(1)
    assert trail.view is below


def test_no_two_actions_of_a_kind_share_a_key() -> None:
    for resource in (PODS, DEPLOYMENTS, REPLICA_SETS, NAMESPACES, CONFIG_MAPS):
        keys = [key for action in REGISTRY.of(resource) for key in action.key.split(",") if key]
        assert len(keys) == len(set(keys)), resource
