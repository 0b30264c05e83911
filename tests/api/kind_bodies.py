"""A small sound body of each kind of the cluster's own interfaces: certificates, storage, devices, flow control."""

from __future__ import annotations

from certificate_objects import certificate, pod_request

from ktui.kube.resource import Object

CLUSTER_BODIES: dict[str, Object] = {
    "clustertrustbundles.certificates.k8s.io": {"spec": {"trustBundle": certificate()}},
    "podcertificaterequests.certificates.k8s.io": {"spec": pod_request()["spec"]},
}
