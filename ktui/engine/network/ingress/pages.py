"""What the ingress controller answers itself: short pages that say what happened and to whom to turn."""

from __future__ import annotations

from html import escape
from http import HTTPStatus

_PAGE = """<!doctype html>
<html><head><meta charset="utf-8"><title>{code} {phrase}</title></head>
<body><h1>{code} {phrase}</h1><p>{text}</p><hr><p>ktui ingress</p></body></html>
"""


def page(code: int, text: str, *, keep_alive: bool, is_head: bool = False) -> bytes:
    """A whole response."""
    phrase = HTTPStatus(code).phrase
    body = _PAGE.format(code=code, phrase=phrase, text=escape(text)).encode()
    head = (
        f"HTTP/1.1 {code} {phrase}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        f"Cache-Control: no-store\r\nConnection: {'keep-alive' if keep_alive else 'close'}\r\n\r\n"
    )
    return head.encode() + (b"" if is_head else body)


def redirect(location: str, *, keep_alive: bool) -> bytes:
    """To the same place by HTTPS; 308 keeps the method and the body."""
    head = (
        f"HTTP/1.1 308 Permanent Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n"
        f"Connection: {'keep-alive' if keep_alive else 'close'}\r\n\r\n"
    )
    return head.encode("latin-1")
