"""Rules for webhooks: their names, what they match, and where they are called."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from ktui.engine.api.cel.admission import declared
from ktui.engine.api.validation.admission_rules import (
    FAILURE_POLICIES,
    MATCH_POLICIES,
    check_conditions,
    check_rule,
)
from ktui.engine.api.validation.fields import duplicate, invalid, one_of, required
from ktui.engine.api.validation.selectors import check_label_selector
from ktui.kube import names
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

REVIEW_VERSIONS: Final = ("v1", "v1beta1")
"""Versions of AdmissionReview (and of ConversionReview) that a webhook may ask for; v1 is what it gets."""
_SIDE_EFFECTS: Final = ("None", "NoneOnDryRun")
_REINVOCATION: Final = ("IfNeeded", "Never")
_FORM: Final = "; desired format: https://host[/path]"


def check_webhooks(webhooks: list[Object]) -> list[Cause]:
    """All webhooks of a configuration."""
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, webhook in enumerate(webhooks):
        at = f"webhooks[{index}]"
        causes += _webhook(webhook, at)
        name = string(webhook, "name")
        causes += [duplicate(f"{at}.name", name)] if name and name in seen else []
        seen.add(name)
    return causes


def _webhook(webhook: Object, at: str) -> list[Cause]:
    causes = _qualified(string(webhook, "name"), f"{at}.name")
    for index, rule in enumerate(items(webhook, "rules")):
        causes += check_rule(rule, f"{at}.rules[{index}]")
    causes += one_of(f"{at}.failurePolicy", webhook.get("failurePolicy"), FAILURE_POLICIES)
    causes += one_of(f"{at}.matchPolicy", webhook.get("matchPolicy"), MATCH_POLICIES)
    effects = webhook.get("sideEffects")
    if effects is None:
        causes.append(required(f"{at}.sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}"))
    else:
        causes += one_of(f"{at}.sideEffects", effects, _SIDE_EFFECTS)
    seconds: int = webhook.get("timeoutSeconds") or 0
    if not 1 <= seconds <= 30:
        why = "the timeout value must be between 1 and 30 seconds"
        causes.append(invalid(f"{at}.timeoutSeconds", seconds, why))
    for field in ("namespaceSelector", "objectSelector"):
        causes += check_label_selector(webhook.get(field), f"{at}.{field}")
    if "reinvocationPolicy" in webhook:
        causes += one_of(f"{at}.reinvocationPolicy", webhook["reinvocationPolicy"], _REINVOCATION)
    causes += check_client_config(section(webhook, "clientConfig"), f"{at}.clientConfig")
    causes += check_conditions(items(webhook, "matchConditions"), f"{at}.matchConditions", declared())
    return causes + check_review_versions(
        strings(webhook, "admissionReviewVersions"), f"{at}.admissionReviewVersions"
    )


def _qualified(name: str, path: str) -> list[Cause]:
    if not name:
        return [required(path)]
    if problems := names.dns_subdomain(name):
        return [invalid(path, name, ",".join(problems))]
    if name.count(".") < 2:
        return [invalid(path, name, "should be a domain with at least three segments separated by dots")]
    return []


def check_review_versions(versions: list[str], path: str) -> list[Cause]:
    """The versions of the review that a webhook asks for."""
    listed = ", ".join(REVIEW_VERSIONS)
    if not versions:
        return [required(path, f"must specify one of {listed}")]
    causes: list[Cause] = []
    for index, version in enumerate(versions):
        at = f"{path}[{index}]"
        if version in versions[:index]:
            causes.append(invalid(at, version, "duplicate version"))
            continue
        causes += [invalid(at, version, problem) for problem in names.dns_1035_label(version)]
    if not any(version in REVIEW_VERSIONS for version in versions):
        causes.append(invalid(path, versions, f"must include at least one of {listed}"))
    return causes


def check_client_config(config: Object, path: str) -> list[Cause]:
    """Where a webhook is called: a URL, or a Service of the cluster."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [required(path, "exactly one of url or service is required")]
    if url is not None:
        return _url(str(url), f"{path}.url")
    return _service(section(config, "service"), f"{path}.service")


def _url(url: str, path: str) -> list[Cause]:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return [required(path, f"url must be a valid URL: {error}{_FORM}")]
    causes: list[Cause] = []
    if parts.scheme != "https":
        causes.append(invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{_FORM}"))
    user, at, host = parts.netloc.rpartition("@")
    if not host:
        causes.append(invalid(path, host, f"host must be specified{_FORM}"))
    if at:
        causes.append(invalid(path, user, "user information is not permitted in the URL"))
    if parts.fragment:
        causes.append(invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        causes.append(invalid(path, parts.query, "query parameters are not permitted in the URL"))
    return causes


def _service(service: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if not service.get("name"):
        causes.append(required(f"{path}.name", "service name is required"))
    if not service.get("namespace"):
        causes.append(required(f"{path}.namespace", "service namespace is required"))
    port: int = service.get("port") or 0
    if problems := names.port_number(port):
        causes.append(invalid(f"{path}.port", port, f"port is not valid: {','.join(problems)}"))
    text = string(service, "path")
    if text in ("", "/"):
        return causes
    at = f"{path}.path"
    if text == "//":
        causes.append(invalid(at, text, "segment[0] may not be empty"))
    if not text.startswith("/"):
        causes.append(invalid(at, text, "must start with a '/'"))
    for index, step in enumerate(text[1:].removesuffix("/").split("/")):
        if not step:
            causes.append(invalid(at, text, f"segment[{index}] may not be empty"))
            continue
        causes += [invalid(at, text, f"segment[{index}]: {why}") for why in names.dns_subdomain(step)]
    return causes
