"""The API at another address than its own: that of the host for its pods, which may not be there yet."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from http_wire import Wire, served_over_tls


@pytest.fixture
async def wire(tmp_path: Path):
    async with served_over_tls(tmp_path) as wire:
        yield wire


async def test_another_address_is_served_with_a_certificate_for_it(wire: Wire):
    assert await wire.secure.serve_at("127.0.0.2")
    url = f"https://127.0.0.2:{wire.secure.port}/version"
    async with wire.session.get(url, ssl=wire.context("alice", "system:masters")) as answer:
        assert answer.status == 200
    async with wire.session.get(
        f"{wire.secure.url}/version", ssl=wire.context("alice", "system:masters")
    ) as answer:
        assert answer.status == 200


async def test_the_address_may_come_to_the_machine_later(wire: Wire):
    assert await wire.secure.serve_at("192.0.2.77")


async def test_a_port_that_another_program_has_there_is_told(wire: Wire, caplog: pytest.LogCaptureFixture):
    with socket.socket() as other:
        other.bind(("127.0.0.3", wire.secure.port))
        other.listen()
        assert not await wire.secure.serve_at("127.0.0.3")
    assert f"pods don't reach the API: can't listen on 127.0.0.3:{wire.secure.port}" in caplog.text


async def test_its_own_address_needs_nothing(wire: Wire):
    assert wire.secure.serves("127.0.0.1") and not wire.secure.serves("127.0.0.2")
    assert await wire.secure.serve_at("127.0.0.1")
