"""The cluster's certificates: its authority, the server's and those of clients."""
