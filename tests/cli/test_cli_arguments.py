"""Arguments as people write them for kubectl."""

from ktui.cli import as_click_reads


def test_short_options_may_have_an_equals_sign() -> None:
    assert as_click_reads(["get", "po", "-o=jsonpath={.a=b}", "-n=x"]) == [
        "get",
        "po",
        "-ojsonpath={.a=b}",
        "-nx",
    ]


def test_a_containers_command_is_left_as_it_is() -> None:
    assert as_click_reads(["exec", "p", "--", "dd", "-x=y"]) == ["exec", "p", "--", "dd", "-x=y"]
