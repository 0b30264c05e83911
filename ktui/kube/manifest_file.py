"""The names by which screens and the watched folder's syncer talk about `ManifestFile` objects."""

from __future__ import annotations

from typing import Final

FOLDER_RECORD: Final = "folder"
"""The name of the record of the folder itself: whether it is there, paused, or waits for a yes before pruning."""
PAUSED_ANNOTATION: Final = "ktui.dev/paused"
"""On a file's record: leave its objects alone. On the folder's: leave all alone. Any value but "false"."""
REAPPLY_ANNOTATION: Final = "ktui.dev/reapply-requested-at"
"""A new value applies the file anew."""
APPROVE_PRUNE_ANNOTATION: Final = "ktui.dev/prune-approved"
"""On the folder's record: the token of the deletion that waits (`status.prune.token`)."""
AWAITING_PRUNE: Final = "AwaitingPrune"
"""The folder's state while a deletion waits for a yes."""
