"""The container runtime interface and its implementations."""
