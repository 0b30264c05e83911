"""The ConfigMap from which aggregated servers learn whom to believe: kube-system/extension-apiserver-authentication."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from ktui.engine.api.pki.folder import FRONT_PROXY_USER, Pki
from ktui.engine.api.server import SERVER, ApiServer
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS
from ktui.kube.resource import Object

NAME: Final = "extension-apiserver-authentication"
NAMESPACE: Final = "kube-system"


async def publish(server: ApiServer, pki: Pki) -> None:
    """Write the ConfigMap, and hand on requests with the certificate it vouches for. `pki` is prepared."""
    server.aggregator.reaching.certificate = pki.front_proxy
    clients, proxies = await asyncio.to_thread(lambda: (pki.authority, pki.front_proxy_authority))
    config = _config(clients.decode(), proxies.decode())
    try:
        await server.create(SERVER, CONFIG_MAPS, config, NAMESPACE)
    except StatusError as error:
        if not error.is_already_exists:
            raise
        await server.patch(SERVER, CONFIG_MAPS, NAME, {"data": config["data"]}, NAMESPACE)


def _config(clients: str, proxies: str) -> Object:
    """The ConfigMap; given the authorities of clients' certificates and of the front proxy's, as PEM."""
    data = {
        "client-ca-file": clients,
        "requestheader-allowed-names": json.dumps([FRONT_PROXY_USER]),
        "requestheader-client-ca-file": proxies,
        "requestheader-extra-headers-prefix": json.dumps(["X-Remote-Extra-"]),
        "requestheader-group-headers": json.dumps(["X-Remote-Group"]),
        "requestheader-uid-headers": json.dumps(["X-Remote-Uid"]),
        "requestheader-username-headers": json.dumps(["X-Remote-User"]),
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "data": data,
    }
