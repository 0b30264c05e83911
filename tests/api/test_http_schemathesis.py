"""Requests made up by schemathesis from our own OpenAPI: whatever is asked, no answer is an internal error."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis
from http_wire import Wire, served_over_tls
from hypothesis import HealthCheck, Phase, given, settings

_DOCUMENTS = ("api/v1", "apis/apps/v1", "apis/rbac.authorization.k8s.io/v1", "apis/networking.k8s.io/v1")
_OPERATIONS = 8
"""Of each document; chosen anew by every version of it, but the same in every run."""
_EXAMPLES = 2
_SECONDS = 20


def ask(wire: Wire, document: dict[str, Any], codes: Counter[int]) -> None:
    """Call operations of a document and count the answers' codes."""
    schema = schemathesis.openapi.from_dict(document)
    operations = [found.ok() for found in schema.get_all_operations()]
    chosen = random.Random(len(operations)).sample(operations, min(_OPERATIONS, len(operations)))
    files = {
        "verify": str(wire.data_dir / "pki" / "ca.crt"),
        "cert": str(wire.data_dir / "admin.pem"),
        "timeout": _SECONDS,
    }
    for operation in chosen:

        @given(case=operation.as_strategy())
        @settings(
            max_examples=_EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def try_it(case: Any) -> None:
            case.query.pop("watch", None)  # it would go on and on
            answer = case.call(base_url=wire.secure.url, **files)
            codes[answer.status_code] += 1
            assert answer.status_code != 500, f"{case.method} {case.formatted_path}: {answer.text}"

        try_it()


async def test_no_answer_is_an_internal_error(tmp_path: Path):
    codes: Counter[int] = Counter()
    async with served_over_tls(tmp_path) as wire:
        for path in _DOCUMENTS:
            _, document = await wire.call("GET", f"/openapi/v3/{path}")
            await asyncio.to_thread(ask, wire, document, codes)
    assert sum(codes.values()) >= len(_DOCUMENTS) * _OPERATIONS // 2
    assert codes.keys() - {404}, "some requests get further than to what there is not"
