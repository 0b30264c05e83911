"""Services, endpoints, ingresses and network policies: what is filled in, refused, kept and printed."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from kind_cases import created, errors, kind, update_errors

from ktui.engine.api.table import table

NOW = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)


def service(spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    base = {"ports": [{"port": 80}], "clusterIP": "10.96.0.10"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "web",
            "namespace": "default",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            **metadata,
        },
        "spec": {**base, **(spec or {})},
    }


def external(spec: dict[str, Any]) -> dict[str, Any]:
    made = service({"type": "ExternalName", **spec})
    del made["spec"]["clusterIP"]
    return made


def ingress(spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": "web",
            "namespace": "default",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            **metadata,
        },
        "spec": spec,
    }


def path(**fields: Any) -> dict[str, Any]:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    return {
        "rules": [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend, **fields}]}}]
    }


def policy(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "default"}, "spec": {"podSelector": {}, **spec}}


def slice_of(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web-1", "namespace": "default"}, "addressType": "IPv4", **fields}


def endpoints(*subsets: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "web", "namespace": "default"}, "subsets": list(subsets)}


def cells(name: str, obj: dict[str, Any]) -> list[Any]:
    """What a table says of an object, status included."""
    made = {**created(name, obj), **({"status": obj["status"]} if "status" in obj else {})}
    declaration = kind(name)
    printed = msgspec.json.decode(table(declaration, [msgspec.json.encode(made)], NOW).encoded())
    return printed["rows"][0]["cells"]


def test_a_service_is_filled_in() -> None:
    spec = created("svc", service({"sessionAffinity": "ClientIP"}))["spec"]
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert (spec["type"], spec["internalTrafficPolicy"]) == ("ClusterIP", "Cluster")
    assert spec["clusterIPs"] == ["10.96.0.10"]
    assert spec["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    assert "externalTrafficPolicy" not in spec
    balanced = created("svc", service({"type": "LoadBalancer"}))["spec"]
    assert balanced["allocateLoadBalancerNodePorts"] is True
    assert balanced["externalTrafficPolicy"] == "Cluster"
    assert created("svc", service({"externalIPs": ["1.2.3.4"]}))["spec"]["externalTrafficPolicy"] == "Cluster"


PORT_NAME = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ports": []}, ["spec.ports: Required value"]),
        (
            {"ports": [{"port": 0}]},
            [
                "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
            ],
        ),
        ({"ports": [{"port": 80}, {"port": 81, "name": "b"}]}, ["spec.ports[0].name: Required value"]),
        (
            {"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "a"}]},
            [
                'spec.ports[1].name: Duplicate value: "a"',
                'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,'
                '"TargetPort":0,"NodePort":0}',
            ],
        ),
        (
            {"ports": [{"port": 80, "targetPort": "A_"}]},
            [
                f'spec.ports[0].targetPort: Invalid value: "A_": {PORT_NAME}',
                'spec.ports[0].targetPort: Invalid value: "A_": must contain at least one letter (a-z)',
            ],
        ),
        (
            {"ports": [{"port": 80, "protocol": "SCTP"}]},
            [
                'spec.ports[0].protocol: Unsupported value: "SCTP": supported values: "TCP", "UDP" (ktui\'s service '
                "proxy carries TCP and UDP only)"
            ],
        ),
        (
            {"ports": [{"port": 80, "nodePort": 30000}]},
            ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
        ),
        (
            {"type": "NodePort", "clusterIP": "None"},
            ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"],
        ),
        (
            {"type": "Funny"},
            [
                'spec.type: Unsupported value: "Funny": supported values: "ClusterIP", "ExternalName", "LoadBalancer", '
                '"NodePort"'
            ],
        ),
        (
            {"sessionAffinity": "None2"},
            ['spec.sessionAffinity: Unsupported value: "None2": supported values: "ClientIP", "None"'],
        ),
        (
            {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}},
            [
                "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less "
                "than 86400"
            ],
        ),
        (
            {"clusterIPs": ["10.96.0.11"]},
            ['spec.clusterIPs: Invalid value: ["10.96.0.11"]: first value must match `clusterIP`'],
        ),
        (
            {"clusterIP": "10.96.0"},
            [
                'spec.clusterIPs[0]: Invalid value: "10.96.0": must be a valid IP address, (e.g. 10.9.8.7 or '
                "2001:db8::ffff)"
            ],
        ),
        (
            {"externalTrafficPolicy": "Local"},
            [
                'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'
            ],
        ),
        (
            {"externalIPs": ["127.0.0.1"]},
            [
                'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, '
                "::1/128)"
            ],
        ),
        (
            {"loadBalancerSourceRanges": ["10.0.0.0"]},
            [
                "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
                'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. '
                "10.9.8.0/24 or 2001:db8::/64)",
            ],
        ),
        (
            {"healthCheckNodePort": 30100},
            [
                "spec.healthCheckNodePort: Invalid value: 30100: may only be set when `type` is 'LoadBalancer' and "
                "`externalTrafficPolicy` is 'Local'"
            ],
        ),
        (
            {"trafficDistribution": "Far"},
            [
                'spec.trafficDistribution: Unsupported value: "Far": supported values: "PreferClose", "PreferSameNode", '
                '"PreferSameZone"'
            ],
        ),
    ],
)
def test_what_a_service_may_not_be(spec: dict[str, Any], expected: list[str]) -> None:
    assert errors("svc", service(spec)) == expected


def test_the_name_of_a_service_is_a_label_that_may_begin_with_a_digit() -> None:
    assert errors("svc", service(name="1web")) == []
    assert errors("svc", service(name="web_1"))[0].startswith(
        'metadata.name: Invalid value: "web_1": a lowercase RFC 1123 label must consist of'
    )


def test_an_external_name_has_no_addresses() -> None:
    assert errors("svc", external({"externalName": "db.example.com."})) == []
    assert errors("svc", external({"ports": []})) == ["spec.externalName: Required value"]
    assert errors("svc", external({"externalName": "db.example.com", "ipFamilies": ["IPv4"]})) == [
        "spec.ipFamilies: Forbidden: may not be set for ExternalName services"
    ]


def test_the_cluster_ip_of_a_service_stays() -> None:
    assert update_errors("svc", service({"clusterIP": "10.96.0.11"}), service()) == [
        'spec.clusterIPs[0]: Invalid value: ["10.96.0.11"]: may not change once set'
    ]
    assert update_errors("svc", service({"clusterIP": "None"}), service()) == [
        'spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set'
    ]
    balanced = service({"type": "LoadBalancer", "loadBalancerClass": "a/b"})
    assert update_errors("svc", service({"type": "LoadBalancer", "loadBalancerClass": "a/c"}), balanced) == [
        'spec.loadBalancerClass: Invalid value: "a/c": may not change once set'
    ]


def updated(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    declaration = kind("svc")
    return declaration.prepare_update(declaration.default(new), created("svc", old))


def test_what_was_allocated_is_kept_by_an_update_that_does_not_know_it() -> None:
    old = service({"type": "NodePort", "ports": [{"port": 80, "name": "a", "nodePort": 30080}]})
    new = service({"type": "NodePort", "ports": [{"port": 81, "name": "a"}, {"port": 82, "name": "b"}]})
    del new["spec"]["clusterIP"]
    spec = updated(new, old)["spec"]
    assert (spec["clusterIP"], spec["clusterIPs"]) == ("10.96.0.10", ["10.96.0.10"])
    assert [port.get("nodePort") for port in spec["ports"]] == [30080, None]


def test_fields_of_the_old_type_go_with_it() -> None:
    old = service(
        {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30100}
        | {"ports": [{"port": 80, "nodePort": 30080}]}
    )
    new = created("svc", old)
    spec = updated({**new, "spec": {**new["spec"], "type": "ClusterIP"}}, old)["spec"]
    assert spec.keys().isdisjoint(
        {"externalTrafficPolicy", "healthCheckNodePort", "allocateLoadBalancerNodePorts"}
    )
    assert "nodePort" not in spec["ports"][0]
    named = {**new, "spec": {**new["spec"], "type": "ExternalName", "externalName": "a.b"}}
    spec = updated(named, old)["spec"]
    assert "clusterIP" not in spec and "clusterIPs" not in spec


def test_services_as_kubectl_prints_them() -> None:
    assert [column.name for column in kind("svc").columns] == [
        "Name",
        "Type",
        "Cluster-IP",
        "External-IP",
        "Port(s)",
        "Age",
        "Selector",
    ]
    assert cells("svc", service({"selector": {"b": "1", "a": "2"}})) == [
        *("web", "ClusterIP", "10.96.0.10", "<none>", "80/TCP", "5m", "a=2,b=1")
    ]
    node_port = service({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080, "protocol": "UDP"}]})
    assert cells("svc", node_port)[1:5] == ["NodePort", "10.96.0.10", "<none>", "80:30080/UDP"]
    balanced = service({"type": "LoadBalancer", "externalIPs": ["1.2.3.4"]})
    assert cells("svc", balanced)[3] == "1.2.3.4"
    balanced["status"] = {"loadBalancer": {"ingress": [{"ip": "192.168.1.9"}]}}
    assert cells("svc", balanced)[3] == "192.168.1.9,1.2.3.4"
    assert cells("svc", service({"type": "LoadBalancer"}))[3] == "<pending>"
    assert cells("svc", external({"externalName": "a.b", "ports": []}))[1:5] == [
        *("ExternalName", "<none>", "a.b", "<none>")
    ]
    assert cells("svc", service({"clusterIP": "None"}))[2] == "None"


def test_a_balancers_addresses_are_checked() -> None:
    declaration = kind("svc")
    old = created("svc", service({"type": "LoadBalancer"}))
    new = {**old, "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}, {"hostname": "10.0.0.2"}]}}}
    new = declaration.prepare_status(new, old)
    assert new["status"]["loadBalancer"]["ingress"][0]["ipMode"] == "VIP"
    assert [f"{c.field}: {c.message}" for c in declaration.validate_status(new, old)] == [
        'status.loadBalancer.ingress[1].hostname: Invalid value: "10.0.0.2": must be a DNS name, not an IP address'
    ]


def test_endpoints() -> None:
    assert errors("ep", endpoints({"addresses": []})) == [
        "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"
    ]
    ports = [{"port": 80}, {"port": 81}]
    assert errors("ep", endpoints({"addresses": [{"ip": "169.254.0.1"}], "ports": ports})) == [
        'subsets[0].addresses[0].ip: Invalid value: "169.254.0.1": may not be in the link-local range '
        "(169.254.0.0/16, fe80::/10)",
        "subsets[0].ports[0].name: Required value",
        "subsets[0].ports[1].name: Required value",
    ]
    four = {"addresses": [{"ip": f"10.0.0.{number}"} for number in range(1, 5)], "ports": [{"port": 80}]}
    assert cells("ep", endpoints(four))[1] == "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more..."
    assert cells("ep", endpoints())[1] == "<none>"


def test_endpoint_slices() -> None:
    assert errors("endpointslices", {**slice_of(), "addressType": ""}) == ["addressType: Required value"]
    bad = slice_of(endpoints=[{"addresses": ["::1"]}, {"addresses": []}], ports=[{"port": 80}, {"port": 81}])
    assert errors("endpointslices", bad) == [
        'endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address',
        'endpoints[0].addresses[0]: Invalid value: "::1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        "endpoints[1].addresses: Required value: must contain at least 1 address",
        'ports[1].name: Duplicate value: ""',
    ]
    assert update_errors("endpointslices", slice_of(addressType="IPv6"), slice_of()) == [
        'addressType: Invalid value: "IPv6": field is immutable'
    ]
    good = slice_of(
        endpoints=[{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}], ports=[{"port": 80}]
    )
    assert cells("endpointslices", good)[1:4] == ["IPv4", "80", "10.0.0.1,10.0.0.2"]
    assert cells("endpointslices", slice_of())[1:4] == ["IPv4", "<unset>", "<unset>"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"]),
        (path(path="a"), ['spec.rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path']),
        (
            path(path="/a//b/.."),
            [
                "spec.rules[0].http.paths[0].path: Invalid value: \"/a//b/..\": must not contain '//'",
                "spec.rules[0].http.paths[0].path: Invalid value: \"/a//b/..\": cannot end with '/..'",
            ],
        ),
        (
            path(pathType="Regex"),
            [
                'spec.rules[0].http.paths[0].pathType: Unsupported value: "Regex": supported values: "Exact", '
                '"ImplementationSpecific", "Prefix"'
            ],
        ),
        (
            path(backend={}),
            [
                'spec.rules[0].http.paths[0].backend: Invalid value: "": resource or service backend is required'
            ],
        ),
        (
            {"defaultBackend": {"service": {"name": "web"}}},
            ["spec.defaultBackend: Required value: port name or number is required"],
        ),
        (
            {"rules": [{"host": "1.2.3.4"}]},
            ['spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address'],
        ),
        (
            {"rules": [{"host": "foo.*.com"}]},
            [
                'spec.rules[0].host: Invalid value: "foo.*.com": a wildcard DNS-1123 subdomain must start with '
                "'*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, "
                "'-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is "
                r"'\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            ],
        ),
    ],
)
def test_what_an_ingress_may_not_be(spec: dict[str, Any], expected: list[str]) -> None:
    assert errors("ing", ingress(spec)) == expected


def test_ingresses_as_kubectl_prints_them() -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    plain = ingress({"defaultBackend": backend})
    assert cells("ing", plain) == ["web", "<none>", "*", "", "80", "5m"]
    hosts = [{"host": f"{name}.example.com"} for name in "abcd"]
    full = ingress({"rules": hosts, "tls": [{}], "ingressClassName": "ktui"})
    full["status"] = {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}
    shown = "a.example.com,b.example.com,c.example.com + 1 more..."
    assert cells("ing", full) == ["web", "ktui", shown, "10.0.0.1", "80, 443", "5m"]


def test_ingress_classes() -> None:
    def of(**spec: Any) -> dict[str, Any]:
        return {"metadata": {"name": "ktui"}, "spec": {"controller": "ktui.dev/ingress", **spec}}

    assert errors("ingressclass", of()) == []
    assert errors("ingressclass", of(controller="ktui")) == [
        'spec.controller: Invalid value: "ktui": must be a domain-prefixed path (such as "acme.io/foo")'
    ]
    parameters = {"kind": "Config", "name": "c", "apiGroup": "ktui.dev"}
    assert created("ingressclass", of(parameters=parameters))["spec"]["parameters"]["scope"] == "Cluster"
    assert errors("ingressclass", of(parameters={**parameters, "scope": "Namespace"})) == [
        "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"
    ]
    assert cells("ingressclass", of(parameters=parameters))[:3] == [
        "ktui",
        "ktui.dev/ingress",
        "Config.ktui.dev/c",
    ]
    assert update_errors("ingressclass", of(controller="a.b/c"), of()) == [
        'spec.controller: Invalid value: "a.b/c": field is immutable'
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ingress": [{"from": [{}]}]}, ["spec.ingress[0].from[0]: Required value: must specify a peer"]),
        (
            {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}}]}]},
            [
                'spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of '
                "`cidr`"
            ],
        ),
        (
            {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}]},
            ["spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer"],
        ),
        (
            {"ingress": [{"ports": [{"port": 80, "endPort": 70}]}]},
            ["spec.ingress[0].ports[0].endPort: Invalid value: 70: must be greater than or equal to `port`"],
        ),
        (
            {"ingress": [{"ports": [{"port": "http", "endPort": 70}]}]},
            [
                "spec.ingress[0].ports[0].endPort: Invalid value: 70: may not be specified when `port` is non-numeric"
            ],
        ),
        (
            {"policyTypes": ["Both"]},
            ['spec.policyTypes[0]: Unsupported value: "Both": supported values: "Ingress", "Egress"'],
        ),
    ],
)
def test_what_a_network_policy_may_not_be(spec: dict[str, Any], expected: list[str]) -> None:
    assert errors("netpol", policy(**spec)) == expected


def test_a_network_policy_is_filled_in_and_printed() -> None:
    made = created("netpol", policy(egress=[{"ports": [{"port": 53}]}]))["spec"]
    assert made["policyTypes"] == ["Ingress", "Egress"]
    assert made["egress"][0]["ports"][0]["protocol"] == "TCP"
    assert created("netpol", policy())["spec"]["policyTypes"] == ["Ingress"]
    assert cells("netpol", policy())[1] == "<none>"
    assert cells("netpol", policy(podSelector={"matchLabels": {"app": "web"}}))[1] == "app=web"
