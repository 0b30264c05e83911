"""Aggregation: groups of the API that servers in the cluster serve, behind this one's door."""
