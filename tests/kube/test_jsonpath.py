"""kubectl's JSONPath templates, by the examples of its documentation."""

import pytest

from ktui.kube.jsonpath import JSONPath, JSONPathError

DOCUMENT = {
    "kind": "List",
    "items": [
        {
            "kind": "None",
            "metadata": {"name": "127.0.0.1", "labels": {"kubernetes.io/hostname": "127.0.0.1"}},
            "status": {
                "capacity": {"cpu": "4"},
                "addresses": [{"type": "LegacyHostIP", "address": "127.0.0.1"}],
            },
        },
        {
            "kind": "None",
            "metadata": {"name": "127.0.0.2"},
            "status": {
                "capacity": {"cpu": "8"},
                "addresses": [
                    {"type": "LegacyHostIP", "address": "127.0.0.2"},
                    {"type": "another", "address": "127.0.0.3"},
                ],
            },
        },
    ],
    "users": [
        {"name": "myself", "user": {}},
        {"name": "e2e", "user": {"username": "admin", "password": "secret"}},
    ],
    "replicas": 3,
    "ready": True,
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("kind is {.kind}", "kind is List"),
        ("{@.kind}", "List"),
        ("{$.kind}", "List"),
        ("{['kind']}", "List"),
        ("{kind}", "List"),
        ("{.items[*].metadata.name}", "127.0.0.1 127.0.0.2"),
        (
            "{.items[*]['metadata.name', 'status.capacity.cpu']}",
            "127.0.0.1 127.0.0.2 4 8",
        ),
        (r"{.items[0].metadata.labels['kubernetes\.io/hostname']}", "127.0.0.1"),
        ("{..addresses[*].address}", "127.0.0.1 127.0.0.2 127.0.0.3"),
        ("{.users[0].name}", "myself"),
        ("{.users[-1].name}", "e2e"),
        ("{.users[0:1].name}", "myself"),
        ("{.users[::-1].name}", "e2e myself"),
        ('{.users[?(@.name=="e2e")].user.password}', "secret"),
        ("{.users[?(@.name!='e2e')].name}", "myself"),
        ("{.users[?(@.user.username)].name}", "e2e"),
        ('{.items[?(@.status.capacity.cpu>5)].metadata.name}', "127.0.0.2"),
        ('{range .items[*]}{.metadata.name}={.status.capacity.cpu}{"\\n"}{end}', "127.0.0.1=4\n127.0.0.2=8\n"),
        (".kind", ".kind"),
        (r"{.items[0].metadata.labels.kubernetes\.io/hostname}", "127.0.0.1"),
        ("{.items[0].metadata.labels['kubernetes.io/hostname']}", "127.0.0.1"),
        ("{.users[1].user}", '{"password":"secret","username":"admin"}'),
        ("{.replicas} {.ready}", "3 true"),
        ("{.nope.nothing}", ""),
        ("{.users[7].name}", ""),
        ("{.users[0,1].name}", "myself e2e"),
        ("{.users[0]['name','user']}", "myself {}"),
        ('{"tab\\there"}', "tab\there"),
        ('{range .items[*]}{range .status.addresses[*]}{.type};{end}|{end}', "LegacyHostIP;|LegacyHostIP;another;|"),
    ],
)  # fmt: skip
def test_templates_render_as_kubectl_renders_them(template: str, text: str) -> None:
    assert JSONPath(template).render(DOCUMENT) == text


@pytest.mark.parametrize(
    "template",
    [
        "{.items[0}",
        "{.kind",
        "{end}",
        "{range .items[*]}x",
        "{}",
        "{.items[abc]}",
        "{.items[?@.x]}",
        "{.a b!}",
    ],
)
def test_a_broken_template_is_refused(template: str) -> None:
    with pytest.raises(JSONPathError):
        JSONPath(template)


def test_missing_keys_are_errors_when_asked_for() -> None:
    with pytest.raises(JSONPathError, match="nope is not found"):
        JSONPath("{.nope}", allow_missing=False).render(DOCUMENT)
    with pytest.raises(JSONPathError, match="out of bounds"):
        JSONPath("{.users[9]}", allow_missing=False).render(DOCUMENT)


def test_find_gives_the_values_themselves() -> None:
    assert JSONPath("{.users[*].name}").find(DOCUMENT) == ["myself", "e2e"]
