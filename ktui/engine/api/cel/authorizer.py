"""`authorizer` in CEL: what the user of a request, or a ServiceAccount, may do.

`authorizer.group('apps').resource('deployments').check('create').allowed()`: each step is plain data that the
next one adds to, and `check` asks the server's authorizer, which decides without waiting for anything.
"""

# What CEL hands over has no static type.
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from ktui.engine.api.authorization import AUTHENTICATED
from ktui.engine.api.cel.programs import CelError
from ktui.engine.api.request import Access, Authorizer, User
from ktui.kube.errors import StatusError
from ktui.kube.resource import Object, Resource

_STEPS: Final = ("group", "resource", "subresource", "namespace", "name", "fieldSelector", "labelSelector")


def authorizer_value(resource: Resource, namespace: str, name: str, subresource: str) -> Object:
    """The variable `authorizer` of a request; its `requestResource` is what the request is about."""
    about: Object = {
        "group": resource.group,
        "resource": resource.plural,
        "subresource": subresource,
        "namespace": namespace,
        "name": name,
    }
    return {"requestResource": about}


def authorizer_functions(authorizer: Authorizer, user: User) -> Mapping[str, Callable[..., Any]]:
    """The functions by which CEL asks."""

    def check(asked: Object, verb: str) -> Object:
        account = asked.get("account")
        who = _account(account) if account else user
        if "path" in asked:
            return _decided(authorizer.authorize_path(who, verb, str(asked["path"])))
        namespace = str(asked.get("namespace") or "")
        resource = Resource(
            str(asked.get("group") or ""), "*", str(asked.get("resource") or ""), "", bool(namespace)
        )
        access = Access(
            who,
            verb,
            resource,
            namespace,
            str(asked.get("name") or ""),
            str(asked.get("subresource") or ""),
            str(asked.get("fieldSelector") or ""),
        )
        return _decided(authorizer.authorize(access))

    return {**_BUILDERS, "check": check}


def _step(field: str) -> Callable[[Object, str], Object]:
    return lambda asked, value: {**asked, field: value}


_BUILDERS: Final[Mapping[str, Callable[..., Any]]] = {
    **{field: _step(field) for field in _STEPS},
    "path": _step("path"),
    "serviceAccount": lambda asked, namespace, name: {"account": f"{namespace}:{name}"},
    "allowed": lambda decision: decision["allowed"],
    "reason": lambda decision: decision["reason"],
    "error": lambda decision: "",
    "errored": lambda decision: False,
}


def _account(name: str) -> User:
    namespace, _, _ = name.partition(":")
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"system:serviceaccount:{name}", groups)


def _decided(decision: Coroutine[Any, Any, None]) -> Object:
    """The verdict of an authorizer; one that had to wait for something can't be asked here."""
    try:
        decision.send(None)
    except StopIteration:
        return {"allowed": True, "reason": ""}
    except StatusError as error:
        return {"allowed": False, "reason": error.message}
    decision.close()
    raise CelError("the authorizer can't be asked in an expression")
