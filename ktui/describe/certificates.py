"""CertificateSigningRequests: who asked whom, how far it has come, and what the certificate would say."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from ktui.describe.fields import metadata_of, write_events
from ktui.describe.related import Related
from ktui.describe.text import NONE, Text
from ktui.kube.age import human_duration
from ktui.kube.resource import Object
from ktui.kube.x509 import CertificateRequest, PemError, read_request


def describe_certificate_request(out: Text, obj: Object, related: Related) -> None:
    """Write a request with the subject that is in it."""
    metadata = metadata_of(obj)
    spec: Object = obj.get("spec") or {}
    out.field("Name", metadata.get("name") or "")
    out.field("Labels", _pairs(metadata.get("labels")))
    out.field("Annotations", _pairs(metadata.get("annotations")))
    out.field("CreationTimestamp", out.time(metadata.get("creationTimestamp")))
    out.field("Requesting User", spec.get("username") or "")
    if spec.get("signerName"):
        out.field("Signer", spec["signerName"])
    if spec.get("expirationSeconds") is not None:
        out.field("Requested Duration", human_duration(spec["expirationSeconds"]))
    out.field("Status", _state(obj.get("status") or {}))
    try:
        asked = read_request(base64.b64decode(spec.get("request") or ""))
    except (PemError, binascii.Error) as error:
        out.field("Subject", f"<{error}>")
    else:
        _write_subject(out, asked)
    write_events(out, related.events)


def _pairs(values: Mapping[str, str] | None) -> str:
    """kubectl writes labels and annotations of this kind in one line."""
    return ",".join(f"{key}={value}" for key, value in sorted((values or {}).items())) or NONE


def _write_subject(out: Text, asked: CertificateRequest) -> None:
    out.line("Subject:")
    out.row("", "Common Name:", asked.common_name)
    out.row("", "Serial Number:", asked.serial_number)
    for title, values in (
        ("Organization", asked.organizations),
        ("Organizational Unit", asked.organizational_units),
        ("Country", asked.countries),
        ("Locality", asked.localities),
        ("Province", asked.provinces),
        ("StreetAddress", asked.street_addresses),
        ("PostalCode", asked.postal_codes),
    ):
        _write_list(out, title, values)
    names = (
        ("DNS Names", asked.dns_names),
        ("Email Addresses", asked.emails),
        ("URIs", asked.uris),
        ("IP Addresses", asked.ips),
    )
    if any(values for _, values in names):
        out.line("Subject Alternative Names:")
        for title, values in names:
            _write_list(out, title, values)


def _write_list(out: Text, title: str, values: Sequence[str]) -> None:
    lead = f"{title}:"
    for value in values:
        out.row("", lead, value)
        lead = ""


def _state(status: Object) -> str:
    conditions: Sequence[Object] = status.get("conditions") or ()
    kinds = {condition.get("type") for condition in conditions}
    state = "Denied" if "Denied" in kinds else "Approved" if "Approved" in kinds else "Pending"
    failed = ",Failed" if "Failed" in kinds else ""
    return state + failed + (",Issued" if status.get("certificate") else "")
