"""Go's duration texts."""

import pytest

from ktui.kube.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5),
        ("1.5h", 5400),
        ("2h45m", 9900),
        ("300ms", 0.3),
        ("-1m", -60),
        ("0", 0),
        (".5s", 0.5),
        ("10us", 1e-5),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "1d", "1h-5m", "--1s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_duration(text)
