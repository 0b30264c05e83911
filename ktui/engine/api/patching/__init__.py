"""Patches as pure functions on JSON data: JSON patch, merge patch, strategic merge patch."""
