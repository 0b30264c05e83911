"""Probes, one module a type."""
