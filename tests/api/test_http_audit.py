"""The audit log's files: one is written, older ones are kept beside it, and none but the owner reads them."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp
from aiohttp import web

from ktui.engine.api.http import audit
from ktui.engine.api.http.audit import AuditLog


async def ask(log: AuditLog, socket: Path, count: int) -> None:
    """Changes that are all recorded."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application(middlewares=[log.record])
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session:
        for number in range(count):
            await session.post(f"http://x/api/v1/namespaces/default/configmaps/{number}")
        await session.get("http://x/api/v1/namespaces/default/configmaps/read")
    await runner.cleanup()


async def test_a_full_file_becomes_the_first_of_the_older_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "_LARGEST_BYTES", 1500)
    path = tmp_path / "audit.log"
    for _ in range(2):
        log = AuditLog(path)
        await ask(log, tmp_path / "s", 12)
        await log.close()
    files = [path, *(tmp_path / f"audit.log.{number}" for number in (1, 2, 3, 4))]
    assert sorted(tmp_path.glob("audit.log*")) == sorted(files)
    newest_first = [
        json.loads(line)["objectRef"]["name"]
        for file in files
        for line in reversed(file.read_text().splitlines())
    ]
    assert newest_first == [str(number % 12) for number in reversed(range(24))][: len(newest_first)]
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.stat().st_size <= 1500


async def test_requests_go_on_when_the_log_can_not_be_written(tmp_path, caplog):
    log = AuditLog(Path("/dev/full"))
    await ask(log, tmp_path / "s", 3)
    await log.close()
    assert caplog.text.count("the audit log can't be written") == 1
