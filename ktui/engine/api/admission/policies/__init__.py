"""Admission policies: rules in CEL that writes have to keep, and changes in CEL that are made to them, bound to where
they hold and with what parameters."""
