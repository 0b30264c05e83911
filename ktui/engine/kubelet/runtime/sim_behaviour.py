"""What a simulated container does: a pure function from its image, environment and command to a `Behaviour`.

An image under `sim/` asks for one (`sim/exit:1`, `sim/crash-after:5s`, `sim/missing`, …), as does the
environment variable `KTUI_SIM` (`exit:1`) on any image. Otherwise simple commands are understood (`true`,
`false`, `sleep 5`, `sh -c 'echo hello; sleep 2; exit 3'`), so that Jobs and init containers end; whatever
else there is runs until it is stopped.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_SIMPLE = re.compile(r"[^`$|&<>(){}*?\\]*")
"""A shell script without expansions, pipes or redirections: the only kind that is interpreted."""
BEHAVIOUR_VARIABLE = "KTUI_SIM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """`run_for` None: runs until stopped."""

    run_for: float | None = None
    exit_code: int = 0
    output: Sequence[str] = ()
    oom: bool = False
    ignores_term: bool = False
    create_error: str = ""
    start_error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullBehaviour:
    """How pulling an image goes; an empty `reason` is a success."""

    delay: float = 0.0
    reason: str = ""
    message: str = ""


def duration(text: str, default: float = 0.0) -> float:
    """Seconds of "5s", "100ms", "2m" or a bare number; `default` when it is none of these."""
    match = _DURATION.fullmatch(text)
    return float(match[1]) * _UNITS[match[2]] if match else default


def split_image(image: str) -> tuple[str, str]:
    """Name and tag of a reference: ("sim/exit", "1")."""
    name, _, tag = image.partition("@")[0].rpartition(":")
    if not name or "/" in tag:
        return image.partition("@")[0], ""
    return name, tag


def sim_directive(image: str, env: Mapping[str, str]) -> tuple[str, str]:
    """("exit", "1") for `sim/exit:1` or KTUI_SIM=exit:1; ("", "") when nothing was asked for."""
    asked = env.get(BEHAVIOUR_VARIABLE, "")
    if asked:
        verb, _, argument = asked.partition(":")
        return verb, argument
    name, tag = split_image(image)
    _, found, verb = name.rpartition("sim/")
    return (verb, tag) if found else ("", "")


def pull_behaviour(image: str) -> PullBehaviour:
    """What pulling `image` does: `sim/missing`, `sim/denied`, `sim/unreachable`, `sim/slow-pull:5s`."""
    verb, argument = sim_directive(image, {})
    if verb == "missing":
        return PullBehaviour(
            reason="ErrImagePull", message=f'failed to pull image "{image}": manifest unknown: not found'
        )
    if verb == "denied":
        return PullBehaviour(
            reason="ErrImagePull", message=f'failed to pull image "{image}": unauthorized: access denied'
        )
    if verb == "unreachable":
        return PullBehaviour(
            reason="RegistryUnavailable",
            message=f'failed to pull image "{image}": dial tcp: connection refused',
        )
    if verb == "slow-pull":
        return PullBehaviour(delay=duration(argument, 5.0))
    return PullBehaviour()


def behaviour(image: str, env: Mapping[str, str], command: Sequence[str], args: Sequence[str]) -> Behaviour:
    """What a container made of these does once started."""
    verb, argument = sim_directive(image, env)
    match verb:
        case "exit":
            return Behaviour(run_for=0.0, exit_code=int(argument) if argument.isdigit() else 0)
        case "crash-after":
            return Behaviour(run_for=duration(argument, 5.0), exit_code=1, output=["sim: crashing"])
        case "exit-after":
            return Behaviour(run_for=duration(argument, 5.0))
        case "oom" | "oom-after":
            return Behaviour(run_for=duration(argument, 0.0), exit_code=137, oom=True)
        case "ignores-term":
            return Behaviour(ignores_term=True)
        case "create-fails":
            return Behaviour(create_error=f"sim: {image} cannot be created")
        case "start-fails":
            return Behaviour(
                start_error='exec: "nosuch": executable file not found in $PATH: No such file or directory'
            )
        case _:
            return _command_behaviour([*command, *args])


def _command_behaviour(words: Sequence[str]) -> Behaviour:
    """Follow `words` as far as they are simple; a container that can't be foreseen runs on."""
    script: Sequence[Sequence[str]]
    if len(words) == 3 and words[0].rpartition("/")[2] in {"sh", "bash", "ash"} and words[1] == "-c":
        if not _SIMPLE.fullmatch(words[2]):
            return Behaviour()
        try:
            script = [shlex.split(line) for line in re.split(r"[;\n]", words[2]) if line.strip()]
        except ValueError:
            return Behaviour()
    else:
        script = [words]
    elapsed, status, output = 0.0, 0, list[str]()
    for step in script:
        match [step[0].rpartition("/")[2], *step[1:]] if step else []:
            case ["true" | ":"]:
                status = 0
            case ["false"]:
                status = 1
            case ["echo", *text]:
                output.append(" ".join(text))
                status = 0
            case ["sleep", length] if _DURATION.fullmatch(length):
                elapsed += duration(length)
                status = 0
            case ["exit", *rest]:
                code = int(rest[0]) if rest and rest[0].isdigit() else status
                return Behaviour(run_for=elapsed, exit_code=code, output=output)
            case _:
                return Behaviour(output=output)
    return Behaviour(run_for=elapsed, exit_code=status, output=output)
