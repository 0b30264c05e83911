"""Pure functions and plain types for Kubernetes things; imports nothing of ktui."""
