"""The watched folder of manifests."""
