"""Built-in admission, one module a plugin."""
