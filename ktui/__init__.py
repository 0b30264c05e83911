"""ktui: a Kubernetes you can hold in one terminal."""

__version__ = "0.1.0"
