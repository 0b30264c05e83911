"""The embedded control plane: everything a cluster is, in one asyncio loop."""
