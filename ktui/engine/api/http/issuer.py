"""How others check ServiceAccounts' tokens: the issuer's OpenID configuration and its public key."""

from __future__ import annotations

from aiohttp import web

from ktui.engine.api.authn.service_accounts import ISSUER
from ktui.engine.api.http.answers import document
from ktui.engine.api.http.identity import user_of
from ktui.engine.api.server import ApiServer

_CONFIGURATION, _KEYS = "/.well-known/openid-configuration", "/openid/v1/jwks"


class IssuerHandlers:
    """The two documents."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    def routes(self) -> list[web.RouteDef]:
        """Where they are."""
        return [web.get(_CONFIGURATION, self._configuration), web.get(_KEYS, self._keys)]

    async def _permit(self, request: web.Request) -> None:
        await self._server.authorizer.authorize_path(user_of(request), "get", request.path)

    async def _configuration(self, request: web.Request) -> web.Response:
        await self._permit(request)
        return document(
            {
                "issuer": ISSUER,
                "jwks_uri": f"{ISSUER}{_KEYS}",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def _keys(self, request: web.Request) -> web.Response:
        await self._permit(request)
        return document({"keys": [self._server.tokens.key.public_jwk()]}, "application/jwk-set+json")
