"""The API server: Kubernetes' REST semantics over the store, free of HTTP."""
