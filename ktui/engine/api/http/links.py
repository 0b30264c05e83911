"""Links of HTML pages that come through the proxy: paths of the backend lead below the proxy's own path.

In: a page's bytes, its coding, and where a link leads instead. Out: the page with the attributes that hold links
changed and nothing else, as kube-apiserver does it. A page in a coding that is not known here is left alone.
"""

from __future__ import annotations

import html
import re
import zlib
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Final

MOST_BYTES: Final = 4 * 1024 * 1024
"""A page above this size passes as it is."""
_ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = {
    tag: frozenset(names.split())
    for tag, names in {
        "a": "href",
        "applet": "codebase",
        "area": "href",
        "audio": "src",
        "base": "href",
        "blockquote": "cite",
        "body": "background",
        "button": "formaction",
        "command": "icon",
        "del": "cite",
        "embed": "src",
        "form": "action",
        "frame": "longdesc src",
        "head": "profile",
        "html": "manifest",
        "iframe": "longdesc src",
        "img": "longdesc src usemap",
        "input": "src usemap formaction",
        "ins": "cite",
        "link": "href",
        "object": "classid codebase data usemap",
        "q": "cite",
        "script": "src",
        "source": "src",
        "video": "poster src",
    }.items()
}
_ATTRIBUTE: Final = re.compile(r"""(?<=[\s/"'])([^\s/>="']+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s>"']+)""")
_WINDOWS: Final = {"gzip": 31, "deflate": -15}
"""zlib's word for each coding."""


def is_page(content_type: str, coding: str) -> bool:
    """Whether an answer is HTML that can be read here."""
    plain = content_type.partition(";")[0].strip().lower()
    return plain == "text/html" and (not coding or coding in _WINDOWS)


def relinked(body: bytes, coding: str, lead: Callable[[str], str]) -> bytes:
    """The page with each link led elsewhere; as it was where its coding can't be undone."""
    window = _WINDOWS.get(coding)
    try:
        page = body if window is None else _unpacked(body, window)
    except zlib.error:
        return body
    # Every byte is a character of its own: the page's encoding need not be known.
    changed = _Links(page.decode("latin-1"), lead).changed().encode("latin-1", "xmlcharrefreplace")
    if changed == page:
        return body
    if window is None:
        return changed
    packer = zlib.compressobj(wbits=window)
    return packer.compress(changed) + packer.flush()


def _unpacked(body: bytes, window: int) -> bytes:
    unpacker = zlib.decompressobj(window)
    page = unpacker.decompress(body, MOST_BYTES)
    if not unpacker.eof:
        raise zlib.error("cut off, or too large")
    return page


class _Links(HTMLParser):
    """Finds the tags; comments, scripts and styles are not looked into."""

    def __init__(self, page: str, lead: Callable[[str], str]) -> None:
        super().__init__(convert_charrefs=False)
        self._page = page
        self._lead = lead
        self._lines = [0, *(match.end() for match in re.finditer("\n", page))]
        self._parts: list[str] = []
        self._done = 0

    def changed(self) -> str:
        self.feed(self._page)
        return "".join((*self._parts, self._page[self._done :]))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names, written = _ATTRIBUTES.get(tag), self.get_starttag_text()
        if names is None or not written or not any(name in names for name, _ in attrs):
            return
        line, column = self.getpos()
        start = self._lines[line - 1] + column

        def replace(match: re.Match[str]) -> str:
            name, equals, value = match.groups()
            if name.lower() not in names:
                return match[0]
            link = html.unescape(value[1:-1] if value[0] in "\"'" else value)
            led = self._lead(link)
            return match[0] if led == link else f'{name}{equals}"{html.escape(led)}"'

        self._parts += [self._page[self._done : start], _ATTRIBUTE.sub(replace, written)]
        self._done = start + len(written)
