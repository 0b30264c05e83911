"""When an image is pulled, if nothing else is said."""

from __future__ import annotations


def pull_policy(image: str) -> str:
    """Always for the tag `latest`, which is what an image without tag and digest means."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if tag == "latest" or not (tag or digest) else "IfNotPresent"
