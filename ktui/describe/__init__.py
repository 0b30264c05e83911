"""What `kubectl describe` prints, for the command line and the screens alike, from nothing but a `Client`.

`describe(client, resource, obj, now=…)` fetches what the description of that kind needs (`related.py`) and
lets the kind's module write it. Layout, labels and order are kubectl's, so that people and scripts find what
they know. Adding a kind is adding one module and one line in `describers.py`.
"""

from __future__ import annotations

from ktui.describe.describers import describe

__all__ = ["describe"]
