"""What the API server hands out of a common stock: cluster IPs and node ports of services."""
