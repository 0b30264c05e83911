"""Reusable widgets that know nothing of clusters."""
