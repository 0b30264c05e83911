"""The wire: REST over a unix socket."""
