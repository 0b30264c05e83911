"""What `kubectl describe` prints, one module a kind: pure functions of an object and what relates to it."""
