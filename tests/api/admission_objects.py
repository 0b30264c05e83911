"""Webhook configurations, policies and bindings for the tests of admission."""

from __future__ import annotations

from typing import Any


def rule(resources: str, operations: str = "CREATE UPDATE", groups: str = "*", **more: Any) -> dict[str, Any]:
    """A rule on resources, as words."""
    return {
        "operations": operations.split(),
        "apiGroups": ["" if group == "core" else group for group in groups.split()],
        "apiVersions": ["*"],
        "resources": resources.split(),
        **more,
    }


def webhook(url: str = "https://hooks.test/x", **more: Any) -> dict[str, Any]:
    return {
        "name": "x.hooks.test",
        "clientConfig": {"url": url},
        "rules": [rule("configmaps")],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        **more,
    }


def configuration(*webhooks: dict[str, Any], kind: str = "Validating", name: str = "hooks") -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": list(webhooks),
    }


def policy(
    *validations: Any, name: str = "rules.test", resources: str = "configmaps", **more: Any
) -> dict[str, Any]:
    """A policy; a validation is an expression, or an object."""
    found = [{"expression": each} if isinstance(each, str) else each for each in validations]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule(resources)]},
            "validations": found,
            **more,
        },
    }


def binding(policy_name: str = "rules.test", name: str = "everywhere", **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": policy_name, "validationActions": ["Deny"], **more},
    }
