"""Lets clients finish the TLS handshake whatever certificate they show, so that the API can answer them 401.

As kube-apiserver does. OpenSSL asks a callback whether a certificate it can't verify shall pass; Python's `ssl`
offers no way to set it, so it is set through ctypes on the context's own `SSL_CTX`. Where that is not known to
work OpenSSL goes on refusing such clients itself: with or without, `authn.certificates` believes no certificate
that it has not verified.
"""

from __future__ import annotations

import ctypes
import logging
import ssl
import sys
from typing import Final

log = logging.getLogger(__name__)

_KNOWN: Final = frozenset((3, minor) for minor in range(11, 15))
"""Versions of CPython whose SSLContext begins with its SSL_CTX."""


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
def _pass(preverified: int, store: int | None) -> int:
    """Go on, whatever was found."""
    return 1


def let_in(context: ssl.SSLContext) -> bool:
    """Let every certificate through the handshake; False where that can't be done, and nothing is changed."""
    try:
        import _ssl  # pyright: ignore[reportMissingModuleSource] - a part of CPython

        if sys.implementation.name != "cpython" or sys.version_info[:2] not in _KNOWN:
            return False
        library = ctypes.CDLL(_ssl.__file__)
        pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
        get_options, set_verify = library.SSL_CTX_get_options, library.SSL_CTX_set_verify
    except (ImportError, AttributeError, OSError) as error:
        log.info("certificates of other authorities end in a TLS error instead of 401: %s", error)
        return False
    get_options.restype, get_options.argtypes = ctypes.c_uint64, (ctypes.c_void_p,)
    if pointer is None or get_options(pointer) != int(context.options) & 0xFFFFFFFFFFFFFFFF:
        return False
    set_verify.restype = None
    set_verify.argtypes = (ctypes.c_void_p, ctypes.c_int, type(_pass))
    set_verify(pointer, 1, _pass)  # SSL_VERIFY_PEER: ask for one, don't insist
    return True
