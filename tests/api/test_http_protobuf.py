"""Bodies in protobuf, against what Kubernetes' own encoder made of the same objects."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktui.engine.api.protobuf import ProtobufError, decode

SAMPLES = json.loads((Path(__file__).parent / "data" / "protobuf_samples.json").read_text())


def without_unset(value: Any) -> Any:
    """JSON as Go writes it says null or [] for a list that is not set, which protobuf leaves out."""
    if isinstance(value, dict):
        return {name: without_unset(item) for name, item in value.items() if item not in (None, [])}
    return value


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["json"]["kind"])
def test_it_is_the_object_that_kubernetes_encoded(sample: dict[str, Any]):
    found = decode(base64.b64decode(sample["protobuf"]))
    assert without_unset(found) == without_unset(sample["json"])


def test_a_pods_zeroes_are_told_from_what_is_unset():
    pod = decode(base64.b64decode(SAMPLES[0]["protobuf"]))
    assert pod["spec"]["terminationGracePeriodSeconds"] == 0
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert "hostPID" not in pod["spec"]
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


def test_times_of_the_first_years_have_four_digits_too():
    def part(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, len(data)]) + data

    seconds, encoded = (-62135596798) % 2**64, b""
    while seconds:
        seconds, encoded = seconds >> 7, encoded + bytes([seconds & 127 | (128 if seconds > 127 else 0)])
    lease = part(2, part(3, b"\x08" + encoded))
    kind = part(1, part(1, b"coordination.k8s.io/v1") + part(2, b"Lease"))
    assert decode(b"k8s\x00" + kind + part(2, lease))["spec"] == {
        "acquireTime": "0001-01-01T00:00:02.000000Z"
    }


def test_what_is_not_in_the_envelope_is_refused():
    with pytest.raises(ProtobufError, match="marker"):
        decode(b"{}")
    with pytest.raises(ProtobufError, match="no kind"):
        decode(b"k8s\x00")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_bytes_are_an_error_and_nothing_else(data: st.DataObject):
    body = bytearray(base64.b64decode(data.draw(st.sampled_from(SAMPLES))["protobuf"]))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(4, len(body) - 1))] = data.draw(st.integers(0, 255))
    del body[data.draw(st.integers(4, len(body))) :]
    with contextlib.suppress(ProtobufError):
        decode(bytes(body))
