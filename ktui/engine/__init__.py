"""The embedded control plane: everything a cluster is, in one asyncio loop."""

from ktui.engine.light_models import leave_unrun

leave_unrun()
