"""An ordinary user's Podman: the same runtime, without root.

As root the test makes such a user and runs the scenario as that user in a forked child (the interpreter may lie
where the user can't read); the user and all that ran as it are gone afterwards.
"""

import asyncio
import os
import pwd
import signal
import stat
import subprocess
import sys
import traceback
import uuid
from contextlib import suppress
from pathlib import Path

import podman
import podman.errors
import pytest

from ktui.engine.kubelet.runtime.base import ContainerState, PodIdentity, RuntimeCallError, SandboxSpec
from ktui.engine.kubelet.runtime.podman import PodmanRuntime

pytestmark = pytest.mark.podman

TUN = Path("/dev/net/tun")
assert podman.errors, "imported here, since the forked child may not be able to read it"


@pytest.fixture
def ordinary_user():
    """A fresh user with subordinate ids and a session folder; None when the tests run as one already."""
    if os.geteuid() != 0:
        yield None
        return
    name = f"ktui-test-{os.getpid()}"
    subprocess.run(["useradd", "--create-home", name], check=True, capture_output=True)
    user = pwd.getpwnam(name)
    session = Path(f"/run/user/{user.pw_uid}")
    session.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chown(session, user.pw_uid, user.pw_gid)
    tun_mode = stat.S_IMODE(TUN.stat().st_mode)
    TUN.chmod(0o666)
    try:
        yield user
    finally:
        TUN.chmod(tun_mode)
        end_processes_of(user.pw_uid)
        subprocess.run(["userdel", "--force", "--remove", name], check=False, capture_output=True)
        subprocess.run(["rm", "-rf", str(session)], check=False)


def end_processes_of(uid):
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and folder.stat().st_uid == uid:
                os.kill(int(folder.name), signal.SIGKILL)


def run_as(user, report, scenario):
    """Run `scenario()` in a forked child of that user; its traceback, if any, fails the test."""
    if user is None:
        asyncio.run(scenario(Path.home()))
        return
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.initgroups(user.pw_name, user.pw_gid)
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            os.chdir(user.pw_dir)
            os.environ.update(
                HOME=user.pw_dir,
                USER=user.pw_name,
                LOGNAME=user.pw_name,
                XDG_RUNTIME_DIR=f"/run/user/{user.pw_uid}",
            )
            for variable in (
                "CONTAINERS_CONF",
                "XDG_CONFIG_HOME",
                "XDG_DATA_HOME",
                "DBUS_SESSION_BUS_ADDRESS",
            ):
                os.environ.pop(variable, None)
            asyncio.run(scenario(Path(user.pw_dir)))
            code = 0
        except BaseException:
            os.write(report, traceback.format_exc().encode())
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    os.lseek(report, 0, os.SEEK_SET)
    assert os.waitstatus_to_exitcode(status) == 0, os.read(report, 100_000).decode()


def test_ordinary_user_runs_pods(ordinary_user, container_spec, tmp_path):
    archive = os.memfd_create("sample", 0)
    subprocess.run(["podman", "save", "localhost/ktui-sample:1"], stdout=archive, check=True)
    os.lseek(archive, 0, os.SEEK_SET)

    async def scenario(home):
        subprocess.run(["podman", "load", "--quiet"], stdin=archive, check=True, capture_output=True)
        runtime = PodmanRuntime(home / "ktui-test-data")
        info = await runtime.start()
        try:
            assert info.details["rootless"] == "true"
            pod = PodIdentity("default", "web", str(uuid.uuid4()))
            async with runtime.events() as events:
                sandbox = await runtime.run_sandbox(SandboxSpec(pod=pod, attempt=0, hostname="web"))
                container = await runtime.create_container(sandbox, container_spec(name="app"))
                await runtime.start_container(container)
                result = await runtime.exec_sync(container, ["sh", "-c", "hostname; exit 3"], 20)
                assert (result.exit_code, result.output) == (3, b"web\n")
                reader, writer = await dialled(runtime, sandbox)
                writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
                assert (await reader.read()).endswith(b"ok\n")
                writer.close()
                session = await runtime.exec(container, ["sh"], stdin=True, tty=True)
                await session.send(b"exit 4\n")
                assert [1 async for _ in session]
                assert await session.wait() == 4
                with pytest.raises(TimeoutError):
                    await runtime.exec_sync(container, ["sleep", "66"], 1)
                listed = await runtime.exec_sync(container, ["ps"], 20)
                assert b"sleep 66" not in listed.output
                await runtime.stop_container(container, 10)
                record = await runtime.container(container)
                assert (record.state, record.exit_code) == (ContainerState.EXITED, 0)
                async with asyncio.timeout(5):
                    async for event in events:
                        if event.type == "died":
                            break
        finally:
            with suppress(RuntimeCallError):
                await runtime.remove_everything()
            await runtime.close()

    with (tmp_path / "report").open("wb+") as report:
        run_as(ordinary_user, report.fileno(), scenario)
    os.close(archive)
    sys.stdout.flush()


async def dialled(runtime, sandbox):
    async with asyncio.timeout(10):
        while True:
            try:
                return await runtime.dial(sandbox, 8080)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
