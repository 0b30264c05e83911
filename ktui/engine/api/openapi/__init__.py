"""The OpenAPI documents of what is served, version 3 a group and version 2 for all."""
