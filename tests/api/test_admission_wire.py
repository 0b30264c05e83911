"""What admission says reaches a client's warnings and the audit log."""

from __future__ import annotations

import json
from pathlib import Path

from admission_objects import binding, policy
from http_wire import served_over_tls

GROUP = "/apis/admissionregistration.k8s.io/v1"


async def test_warnings_and_annotations(tmp_path: Path):
    annotations = [{"key": "size", "valueExpression": "string(size(object.data))"}]
    made = policy({"expression": "false", "message": "hm"}, auditAnnotations=annotations)
    async with served_over_tls(tmp_path) as wire:
        admin = wire.admin
        for plural, body in (
            ("validatingadmissionpolicies", made),
            ("validatingadmissionpolicybindings", binding(validationActions=["Warn", "Audit"])),
        ):
            code, answer = await wire.call("POST", f"{GROUP}/{plural}", tls=admin, json=body)
            assert code == 201, answer
        url = f"{wire.secure.url}/api/v1/namespaces/default/configmaps"
        obj = {"metadata": {"name": "c"}, "data": {"a": "1"}}
        async with wire.session.post(url, json=obj, ssl=admin) as response:
            assert response.status == 201
            assert response.headers["Warning"] == (
                "299 - \"Validation failed for ValidatingAdmissionPolicy 'rules.test' with binding 'everywhere': hm\""
            )
    lines = [json.loads(line) for line in (tmp_path / "audit.log").read_text().splitlines()]
    noted = lines[-1]["annotations"]
    assert noted["rules.test/size"] == "1"
    assert "hm" in noted["validation.policy.admission.k8s.io/validation_failure"]
