"""The image store of the simulated runtime: what was pulled, and how a pull goes.

Names decide: `sim/missing`, `sim/denied`, `sim/unreachable` and `sim/slow-pull:5s` behave as they say, images
under `localhost/` were always there, anything else well-formed pulls at once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from ktui.engine.kubelet.runtime.base import ImageError, ImageRecord
from ktui.engine.kubelet.runtime.sim_behaviour import pull_behaviour, split_image
from ktui.kube.clock import Clock

_REFERENCE = re.compile(
    r"[a-z0-9]+(?:[._:-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


class SimImages:
    """Images by the reference they were asked for with."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._images: dict[str, ImageRecord] = {}

    def add(self, image: str, *, user: str = "", size_bytes: int = 2_000_000) -> ImageRecord:
        """Make an image present without a pull."""
        name, tag = split_image(image)
        digest = hashlib.sha256(image.encode()).hexdigest()
        record = ImageRecord(
            id=f"sha256:{digest}",
            tags=[image if "@" in image else f"{name}:{tag or 'latest'}"],
            digests=[f"{name}@sha256:{digest}"],
            size_bytes=size_bytes,
            user=user,
        )
        self._images[image] = record
        return record

    def find(self, image: str) -> ImageRecord | None:
        """By reference, tag, digest or id."""
        if found := self._images.get(image):
            return found
        for record in self._images.values():
            if image == record.id or image in record.digests or image in record.tags:
                return record
        return self.add(image) if image.startswith("localhost/") else None

    def reference(self, record: ImageRecord) -> str:
        """The name it was pulled under, which says how its containers behave."""
        return next(reference for reference, known in self._images.items() if known is record)

    async def pull(self, image: str) -> ImageRecord:
        """Raises ImageError when the name asks for it or is malformed."""
        if not _REFERENCE.fullmatch(image):
            raise ImageError(
                "InvalidImageName", f'couldn\'t parse image name "{image}": invalid reference format'
            )
        how = pull_behaviour(image)
        if how.delay:
            await self._clock.sleep(how.delay)
        if how.reason:
            raise ImageError(how.reason, how.message)
        return self._images.get(image) or self.add(image)

    def all(self) -> Sequence[ImageRecord]:
        """Each image once."""
        return list({record.id: record for record in self._images.values()}.values())

    def remove(self, image_id: str) -> None:
        """Forget it. Idempotent."""
        for reference, record in list(self._images.items()):
            if record.id == image_id:
                del self._images[reference]
