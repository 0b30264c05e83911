"""Admission webhooks: HTTPS servers that are asked before an object is written, to change it or to refuse it."""
