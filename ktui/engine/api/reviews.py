"""Answers reviews: may a user do something, what may one do here, who is one, whose is a token.

A review is created to be answered: the object comes back with its status, nothing is stored.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ktui.engine.api.authn.jwt import TokenError
from ktui.engine.api.authn.service_accounts import ServiceAccountTokens
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.rbac.authorizer import Decision, Rbac
from ktui.engine.api.request import Access, Authorizer, User
from ktui.engine.api.validation.fields import invalid as invalid_value
from ktui.kube.data import section, string, strings
from ktui.kube.errors import Cause, StatusError, bad_request, invalid
from ktui.kube.resource import Object, Resource


class Reviews:
    """Answers with one authorizer's verdicts and one cluster's tokens."""

    def __init__(self, authorizer: Authorizer, tokens: ServiceAccountTokens) -> None:
        self._authorizer = authorizer
        self._tokens = tokens

    async def answer(self, user: User, declaration: Declaration, review: Object, namespace: str) -> Object:
        """The review with its status."""
        kind = declaration.resource.kind
        spec = section(review, "spec")
        match kind:
            case "SelfSubjectReview":
                status: Object = {"userInfo": user_info(user)}
            case "TokenReview":
                status = self._token(spec)
            case "SelfSubjectRulesReview":
                status = self._rules(user, string(spec, "namespace"))
            case _:
                status = await self._access(user, declaration.resource, spec, namespace)
        return {**review, "status": status}

    def _token(self, spec: Object) -> Object:
        token = string(spec, "token")
        if not token:
            raise bad_request("token is required for TokenReview in authentication")
        try:
            found = self._tokens.check(token, strings(spec, "audiences"))
        except TokenError as error:
            return {"user": {}, "error": f"[invalid bearer token, {error}]"}
        return {"authenticated": True, "user": user_info(found.user), "audiences": list(found.audiences)}

    def _rules(self, user: User, namespace: str) -> Object:
        if not namespace:
            raise bad_request("no namespace on request")
        status: Object = {"resourceRules": [], "nonResourceRules": [], "incomplete": False}
        if not isinstance(self._authorizer, Rbac):
            return {**status, "incomplete": True, "evaluationError": "the authorizer knows no rules"}
        rules, problems = self._authorizer.policies.rules_for(user, namespace)
        for rule in rules:
            kind = "nonResourceRules" if rule.urls else "resourceRules"
            status[kind].append(msgspec.to_builtins(rule))
        if problems:
            status["evaluationError"] = "; ".join(problems)
        return status

    async def _access(self, user: User, resource: Resource, spec: Object, namespace: str) -> Object:
        is_own = resource.kind == "SelfSubjectAccessReview"
        if causes := _problems(spec, is_own=is_own, namespace=namespace):
            raise invalid(resource, "", causes)
        asked = user if is_own else _subject(spec)
        if "nonResourceAttributes" in spec:
            attributes = section(spec, "nonResourceAttributes")
            decision = await self._on_path(asked, string(attributes, "verb"), string(attributes, "path"))
        else:
            decision = await self._on_resource(asked, section(spec, "resourceAttributes"))
        return {"allowed": decision.allowed, **({"reason": decision.reason} if decision.reason else {})}

    async def _on_resource(self, user: User, attributes: Object) -> Decision:
        namespace = string(attributes, "namespace")
        resource = Resource(
            string(attributes, "group"),
            string(attributes, "version"),
            string(attributes, "resource"),
            "",
            bool(namespace),
        )
        access = Access(
            user,
            string(attributes, "verb"),
            resource,
            namespace,
            string(attributes, "name"),
            string(attributes, "subresource"),
        )
        if isinstance(self._authorizer, Rbac):
            return self._authorizer.decide(access)
        try:
            await self._authorizer.authorize(access)
        except StatusError:
            return Decision(False)
        return Decision(True)

    async def _on_path(self, user: User, verb: str, path: str) -> Decision:
        if isinstance(self._authorizer, Rbac):
            return self._authorizer.decide_path(user, verb, path)
        try:
            await self._authorizer.authorize_path(user, verb, path)
        except StatusError:
            return Decision(False)
        return Decision(True)


def user_info(user: User) -> Object:
    """`UserInfo` of authentication.k8s.io/v1."""
    info: dict[str, Any] = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {name: list(values) for name, values in user.extra.items()}
    return info


def _subject(spec: Object) -> User:
    """Whom a review asks about."""
    extra: dict[str, list[str]] = spec.get("extra") or {}
    return User(
        string(spec, "user"),
        tuple(strings(spec, "groups")),
        string(spec, "uid"),
        {name: tuple(values) for name, values in extra.items()},
    )


def _problems(spec: Object, *, is_own: bool, namespace: str) -> list[Cause]:
    causes: list[Cause] = []
    on_resource, on_path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if on_resource is not None and on_path is not None:
        why = "cannot be specified in combination with resourceAttributes"
        causes.append(invalid_value("spec.nonResourceAttributes", on_path, why))
    if on_resource is None and on_path is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        causes.append(invalid_value("spec.resourceAttributes", None, why))
    if not is_own and not spec.get("user") and not spec.get("groups"):
        causes.append(invalid_value("spec.user", "", "at least one of user or group must be specified"))
    if namespace:
        if on_path is not None:
            why = "disallowed on this kind of request"
            causes.append(invalid_value("spec.nonResourceAttributes", on_path, why))
        elif on_resource is not None and on_resource.get("namespace") != namespace:
            found = on_resource.get("namespace") or ""
            why = "must match metadata.namespace"
            causes.append(invalid_value("spec.resourceAttributes.namespace", found, why))
    return causes
