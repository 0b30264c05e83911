"""NetworkPolicy: who may talk to which pods."""
