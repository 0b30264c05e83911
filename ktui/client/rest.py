"""How the API's calls look on the wire: paths, query parameters and bodies, as pure functions.

Both sides of a connection agree through these names; see
https://kubernetes.io/docs/reference/using-api/api-concepts/.
"""

from __future__ import annotations

from urllib.parse import quote

from ktui.client.base import DeleteOptions, ExecOptions, ListOptions, LogOptions, WatchOptions, WriteOptions
from ktui.kube.errors import bad_request
from ktui.kube.resource import Object, Resource

JSON = "application/json"
TABLE = f"{JSON};as=Table;v=v1;g=meta.k8s.io, {JSON}"
DISCOVERY = f"{JSON};as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io, {JSON}"

Query = dict[str, str]


def path_of(resource: Resource, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """`/apis/apps/v1/namespaces/default/deployments/web/scale`; a name that would lead elsewhere is refused."""
    base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    if resource.namespaced and namespace:
        base += f"/namespaces/{segment(namespace)}"
    named = segment(name) if name else ""
    return "/".join(part for part in (f"{base}/{resource.plural}", named, subresource) if part)


def segment(name: str) -> str:
    """A name as a part of a path, quoted; raises StatusError for one that can't be."""
    if name in (".", ".."):
        raise bad_request(f"invalid resource name \"{name}\": may not be '{name}'")
    for char in "/%":
        if char in name:
            raise bad_request(f"invalid resource name \"{name}\": may not contain '{char}'")
    return quote(name, safe=":")


def _given(**parameters: str | int | bool | None) -> Query:
    query: Query = {}
    for name, value in parameters.items():
        if value is True:
            query[name] = "true"
        elif value not in (None, "", False):
            query[name] = str(value)
    return query


def list_query(options: ListOptions) -> Query:
    return _given(
        labelSelector=options.label_selector,
        fieldSelector=options.field_selector,
        limit=options.limit,
        resourceVersion=options.resource_version,
        resourceVersionMatch=options.resource_version_match,
        **{"continue": options.continue_token},
    )


def watch_query(options: WatchOptions) -> Query:
    query = _given(
        watch=True,
        labelSelector=options.label_selector,
        fieldSelector=options.field_selector,
        resourceVersion=options.resource_version,
        allowWatchBookmarks=options.allow_bookmarks,
        sendInitialEvents=options.send_initial_events,
        timeoutSeconds=int(options.timeout_seconds) if options.timeout_seconds is not None else None,
    )
    if options.send_initial_events:
        query["resourceVersionMatch"] = "NotOlderThan"
    return query


def write_query(options: WriteOptions) -> Query:
    return _given(
        fieldManager=options.field_manager,
        force=options.force,
        dryRun="All" if options.dry_run else "",
        fieldValidation=options.field_validation,
    )


def delete_body(options: DeleteOptions) -> Object:
    """`DeleteOptions` of meta/v1."""
    body: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
    if options.grace_period_seconds is not None:
        body["gracePeriodSeconds"] = options.grace_period_seconds
    if options.propagation_policy:
        body["propagationPolicy"] = options.propagation_policy
    preconditions = {"uid": options.uid, "resourceVersion": options.resource_version}
    if any(preconditions.values()):
        body["preconditions"] = {name: value for name, value in preconditions.items() if value}
    if options.dry_run:
        body["dryRun"] = ["All"]
    return body


def log_query(options: LogOptions) -> Query:
    query = _given(
        container=options.container,
        follow=options.follow,
        previous=options.previous,
        sinceSeconds=options.since_seconds,
        sinceTime=options.since_time,
        timestamps=options.timestamps,
        limitBytes=options.limit_bytes,
    )
    if options.tail_lines is not None:
        query["tailLines"] = str(options.tail_lines)
    return query


def exec_query(options: ExecOptions) -> list[tuple[str, str]]:
    """Pairs, because `command` is given once a word."""
    query = _given(
        container=options.container,
        stdin=options.stdin,
        stdout=options.stdout,
        stderr=options.stderr,
        tty=options.tty,
    )
    return [*query.items(), *(("command", word) for word in options.command)]
