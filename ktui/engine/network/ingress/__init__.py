"""The ingress controller: HTTP from outside to Services, by host and path."""
