"""Volumes, one module a type."""
