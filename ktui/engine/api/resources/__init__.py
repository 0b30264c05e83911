"""The declaration of each kind, one module an API group."""
