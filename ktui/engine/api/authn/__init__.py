"""Authentication: from what a connection or a request shows to a `User`."""
