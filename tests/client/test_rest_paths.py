"""Paths of API calls: a name never leads anywhere else than to its object."""

import pytest

from ktui.client.rest import path_of
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS


def test_names_are_quoted() -> None:
    assert path_of(PODS, "default", "a?b c#ü") == "/api/v1/namespaces/default/pods/a%3Fb%20c%23%C3%BC"
    assert path_of(PODS, "default", "system:node") == "/api/v1/namespaces/default/pods/system:node"


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../x", "a%2fb"])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    for namespace, pod in (("default", name), (name, "web")):
        with pytest.raises(StatusError, match="invalid resource name"):
            path_of(PODS, namespace, pod)
