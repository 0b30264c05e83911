"""The parts of the log view without a terminal: buffer, search, merge, colours, levels and fields."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktui.screens.container_state import container_names, container_now, explain
from ktui.screens.log_feed import shortened
from ktui.screens.log_merge import QUIET_SECONDS, LogMerge
from ktui.widgets.log_ansi import plain_text, safe_text
from ktui.widgets.log_buffer import NOTE, LogBuffer, split_line
from ktui.widgets.log_format import level_of, parse_structured, pretty
from ktui.widgets.log_model import LogModel
from ktui.widgets.log_paint import plain_line, short_stamp
from ktui.widgets.prompt import how_many_match


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), min_size=1), max_size=20),
    st.integers(1, 60),
)
def test_the_buffer_gives_back_what_it_took(batches: list[list[bytes]], segment_bytes: int) -> None:
    buffer = LogBuffer(segment_bytes=segment_bytes)
    for source, batch in enumerate(batches):
        buffer.append(batch, source)
    lines = [line for batch in batches for line in batch]
    assert buffer.read(0, buffer.end) == lines
    for number in range(0, len(lines), 3):
        assert buffer.line(number)[1] == lines[number]
        assert buffer.read(number, number + 2) == lines[number : number + 2]
    assert list(buffer.sources(0, buffer.end)) == [n for n, batch in enumerate(batches) for _ in batch]
    buffer.close()


def test_over_its_cap_the_buffer_drops_the_oldest_and_counts_them() -> None:
    buffer = LogBuffer(max_lines=100, segment_lines=10)
    for start in range(0, 1000, 10):
        buffer.append([str(n).encode() for n in range(start, start + 10)])
    assert buffer.first == 900
    assert len(buffer) == 100
    assert buffer.read(0, 902) == [b"900", b"901"]
    with pytest.raises(IndexError):
        buffer.line(5)
    buffer.clear()
    assert (buffer.first, buffer.end, buffer.bytes) == (0, 0, 0)


def filled(*texts: str) -> LogModel:
    buffer = LogBuffer()
    buffer.append([f"2026-03-01T12:00:00Z {text}".encode() for text in texts])
    return LogModel(buffer)


def test_search_ignores_timestamps_colours_and_case_unless_asked() -> None:
    model = filled("an Error", "2026 is text", "\x1b[31mer\x1b[0mror", "^caret", "ok")
    for query, found in (
        ("error", [0, 2]),
        ("Error", [0]),
        ("2026", [1]),
        ("^an", [0]),
        ("!o", [1, 3]),
        ("[", []),
        ("^ok$", [4]),
    ):
        model.set_search(query)
        assert not model.scan(1.0)
        assert model.search is not None
        assert list(model.search.numbers) == found, query


def test_a_filter_shows_lines_around_its_matches_across_slices_and_as_lines_come() -> None:
    model = filled(*(f"hit {n}" if n in (3, 4, 11) else f"line {n}" for n in range(13)))
    model.context = 2
    model.set_filter("hit")
    assert model.filter is not None
    while model.filter.scan(2):
        pass
    assert list(model.shown_numbers()) == [1, 2, 3, 4, 5, 6, 9, 10, 11, 12]
    model.buffer.append(
        [b"2026-03-01T12:00:00Z line 13", NOTE + b"a remark", b"2026-03-01T12:00:00Z line 15"]
    )
    model.scan(1.0)
    assert list(model.shown_numbers())[-3:] == [12, 13, 14]


def test_a_filter_grows_with_the_log_and_search_stays_inside_it() -> None:
    model = filled("a1", "b1", "a2")
    model.set_filter("a")
    model.set_search("1|2")
    model.scan(1.0)
    assert list(model.shown_numbers()) == [0, 2]
    assert model.next_match(1, 0) == 2
    assert model.next_match(1, 2) == 0
    assert model.next_match(-1, 0) == 2
    model.buffer.append([b"2026-03-01T12:00:00Z a3", NOTE + b"restarted", b"2026-03-01T12:00:00Z b3"])
    model.scan(1.0)
    assert [model.line_at(n) for n in range(len(model))] == [0, 2, 3, 4]


def test_matches_of_dropped_lines_are_forgotten() -> None:
    model = LogModel(LogBuffer(max_lines=20, segment_lines=10))
    model.set_filter("x")
    for _ in range(10):
        model.buffer.append([b"x"] * 10)
        model.scan(1.0)
    assert list(model.shown_numbers()) == list(range(80, 100))


def line(second: str, text: str = "") -> bytes:
    return f"2026-03-01T12:00:{second}Z {text}".encode()


def test_merge_orders_by_time_across_sources() -> None:
    merge = LogMerge()
    merge.open(0, 0.0)
    merge.open(1, 0.0)
    merge.push(0, [line("01"), line("01.5"), line("03")], 0.0)
    assert merge.drain(0.1) == []
    merge.push(1, [line("01.25"), line("02")], 0.1)
    assert merge.drain(0.1) == [
        (0, [line("01")]),
        (1, [line("01.25")]),
        (0, [line("01.5")]),
        (1, [line("02")]),
    ]
    assert merge.waiting == 1
    assert merge.drain(0.2 + QUIET_SECONDS) == [(0, [line("03")])]


def test_merge_does_not_wait_for_the_ended_or_the_silent() -> None:
    merge = LogMerge()
    merge.open(0, 0.0)
    merge.open(1, 0.0)
    merge.close(1)
    merge.push(0, [line("01"), b"no stamp", line("02")], 0.0)
    assert merge.drain(0.0) == [(0, [line("01"), b"no stamp", line("02")])]
    merge.push(1, [NOTE + b"ended"], 0.0)
    assert merge.drain(QUIET_SECONDS + 1) == [(1, [NOTE + b"ended"])]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 59), max_size=8).map(sorted), min_size=1, max_size=4))
def test_merge_of_whole_logs_is_sorted(logs: list[list[int]]) -> None:
    merge = LogMerge()
    for source, seconds in enumerate(logs):
        merge.push(source, [line(f"{second:02}", str(source)) for second in seconds], 0.0)
        merge.close(source)
    out = [raw for _, lines in merge.drain(0.0) for raw in lines]
    assert out == sorted(out, key=lambda raw: split_line(raw)[0])
    assert len(out) == sum(map(len, logs))
    assert merge.waiting == 0


def test_only_colours_survive_of_terminal_output() -> None:
    nasty = (
        "\x1b[2J\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07 \x1bPq#0\x1b\\\x07\x9b1mend\ttab\x00"
    )
    text = safe_text(nasty)
    assert text.plain == "red link 1mend  tab"
    assert not any(ord(character) < 32 for character in text.plain)
    assert str(text.spans[0].style) == "color(1)"
    assert plain_text("\x1b[38;5;200mx\x1b[48;2;1;2;3my") == "xy"
    assert safe_text("\x1b[38;5m\x1b[999mz").plain == "z"


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab\x1b[]0123;m\x07\\\x9b\t\r", max_size=30))
def test_no_control_character_reaches_the_screen(text: str) -> None:
    assert all(character >= " " for character in safe_text(text).plain)
    assert safe_text(text).plain == plain_text(text)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("2026 ERROR boom", "error"),
        ("E0301 12:00:00.1 1 x.go:1] boom", "error"),
        ("[warn] low", "warn"),
        ("level=debug x", "debug"),
        ("error: no such file", "error"),
        ("an informed guess", ""),
        ("no errors found", ""),
        ("INFO ready", "info"),
    ],
)
def test_levels(text: str, level: str) -> None:
    assert level_of(text) == level


def test_fields_of_json_and_logfmt() -> None:
    json_line = parse_structured('{"time":1,"severity":"Warning","message":"hot","temp":81.5,"tags":["a"]}')
    assert json_line is not None
    assert (json_line.level, json_line.message) == ("warn", "hot")
    assert json_line.fields == (("temp", "81.5"), ("tags", '["a"]'))
    pino = parse_structured('{"level":50,"msg":"bad"}')
    assert pino is not None
    assert pino.level == "error"
    logfmt = parse_structured('ts=1 level=info msg="two words" path=/x empty=')
    assert logfmt is not None
    assert (logfmt.level, logfmt.message, logfmt.fields) == (
        "info",
        "two words",
        (("path", "/x"), ("empty", "")),
    )
    for plain in ("a=1", "say a=1 b=2", "{broken", "{}", "[1]", "x = y = z"):
        assert parse_structured(plain) is None
    assert pretty('{"a":{"b":1}}').splitlines()[1] == '  "a": {'
    assert pretty("level=info msg=hi") == "level  info\nmsg    hi"


def test_stamps_and_names() -> None:
    assert short_stamp(b"2026-03-01T12:00:00Z") == "2026-03-01T12:00:00.000Z"
    assert short_stamp(b"2026-03-01T12:00:00.123456789Z") == "2026-03-01T12:00:00.123Z"
    assert plain_line(b"2026-03-01T12:00:00Z hi\r", "web") == "2026-03-01T12:00:00Z web hi"
    assert shortened(["web-6f-a1", "web-6f-b2"]) == ["a1", "b2"]
    assert shortened(["web", "web-1"]) == ["web", "web-1"]


def test_the_containers_that_people_mean_come_first() -> None:
    spec = {
        "initContainers": [{"name": "side", "restartPolicy": "Always"}],
        "containers": [{"name": "web"}, {"name": "cache"}],
        "ephemeralContainers": [{"name": "debugger"}],
    }
    assert container_names({"spec": spec}) == ["web", "cache", "debugger", "side"]
    annotations = {"kubectl.kubernetes.io/default-container": "cache"}
    named = container_names({"metadata": {"annotations": annotations}, "spec": spec})
    assert named == ["cache", "web", "debugger", "side"]


def test_how_many_match() -> None:
    assert [how_many_match(0, 0), how_many_match(1, 0), how_many_match(1, 1)] == [
        "no match",
        "1 match",
        "1 of 1 match",
    ]
    assert how_many_match(1200, 3) == "3 of 1,200 matches"


def test_container_states_in_words() -> None:
    def pod(status: dict[str, object]) -> dict[str, object]:
        return {"spec": {"containers": [{"name": "main"}]}, "status": status}

    def main(**status: object) -> dict[str, object]:
        return pod({"containerStatuses": [{"name": "main", **status}]})

    waiting = main(state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}, restartCount=2,
                   lastState={"terminated": {"reason": "Error", "exitCode": 3}})  # fmt: skip
    assert explain(container_now(waiting, "main")) == (
        "is waiting: CrashLoopBackOff: back-off 10s (the run before ended: Error, exit code 3)"
    )
    done = main(state={"terminated": {"reason": "Completed", "exitCode": 0}})
    assert explain(container_now(done, "main")) == "ended: Completed, exit code 0"
    nowhere = pod({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]})  # fmt: skip
    assert explain(container_now(nowhere, "main")) == "is waiting: Pending: 0/1 nodes are available"
