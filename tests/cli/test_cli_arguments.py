"""Arguments as people write them for kubectl."""

import click
import pytest

from ktui.cli import cli
from ktui.commands import delete, get
from ktui.commands.flags import Duration, as_click_reads, until_verb

GET, DELETE = get.command.params, delete.command.params


def test_short_options_may_have_an_equals_sign() -> None:
    assert as_click_reads(GET, ["po", "-o=jsonpath={.a=b}", "-n=x"]) == ["po", "-ojsonpath={.a=b}", "-nx"]


def test_a_containers_command_is_left_as_it_is() -> None:
    assert as_click_reads(GET, ["p", "--", "dd", "-x=y", "-w=true"]) == ["p", "--", "dd", "-x=y", "-w=true"]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["po", "--watch=true"], ["po", "--watch"]),
        (["po", "-w=1"], ["po", "-w"]),
        (["po", "-A", "--all-namespaces=false"], ["po"]),
        (["po", "--selector=watch=true"], ["po", "--selector=watch=true"]),
    ],
)
def test_flags_may_say_true_or_false(given: list[str], read: list[str]) -> None:
    assert as_click_reads(GET, given) == read


def test_flags_that_default_to_true_can_be_turned_off() -> None:
    assert as_click_reads(DELETE, ["--wait=false", "--force=true"]) == ["--no-wait", "--force"]
    with pytest.raises(click.BadOptionUsage, match="maybe"):
        as_click_reads(DELETE, ["--wait=maybe"])


@pytest.mark.parametrize(
    ("given", "verb"),
    [
        (["--debug=true", "get"], "get"),
        (["--debug", "--data-dir", "get", "get"], "get"),
        (["--data-dir=x", "-n", "y", "delete", "-f", "z"], "delete"),
        (["-n=y", "get"], "get"),
    ],
)
def test_flags_may_stand_before_the_verb(given: list[str], verb: str) -> None:
    assert given[until_verb(cli.params, given)] == verb


def test_without_a_verb_all_arguments_are_read() -> None:
    assert until_verb(cli.params, ["--debug", "--manifests", "m"]) == 3
    assert until_verb(cli.params, ["--manifests"]) == 1


def test_durations_are_gos_or_seconds() -> None:
    assert [Duration().convert(text, None, None) for text in ("30s", "5m", "2", "0")] == [30, 300, 2, 0]
    with pytest.raises(click.BadParameter, match="5s, 2m30s"):
        Duration().convert("soon", None, None)
