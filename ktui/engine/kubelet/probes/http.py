"""The httpGet probe: healthy from 200 to 399; a redirect to another host is a success with a warning."""

from __future__ import annotations

from ktui.engine.kubelet.http_get import HTTPGetError, HTTPRequest, http_get
from ktui.engine.kubelet.probes.base import Connect, Outcome


async def probe_http(connect: Connect, request: HTTPRequest, timeout: float) -> Outcome:
    try:
        answer = await http_get(connect, request, timeout)
    except HTTPGetError as error:
        return Outcome(False, str(error))
    if 300 <= answer.status < 400:
        body = answer.body.decode("utf-8", "replace")
        return Outcome(True, f"Probe terminated redirects, Response body: {body}", warning=True)
    if 200 <= answer.status < 400:
        return Outcome(True, answer.body.decode("utf-8", "replace"))
    return Outcome(False, f"HTTP probe failed with statuscode: {answer.status}")
