"""The service proxy: Services' addresses and ports lead to their endpoints."""
