"""The release of Kubernetes whose API ktui serves: that of the schema it carries."""

MAJOR, MINOR = "1", "37"
GIT_VERSION = f"v{MAJOR}.{MINOR}.0+ktui"
"""What `/version` and the node's kubeletVersion say."""
