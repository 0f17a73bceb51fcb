"""Loaders of others, run for real behind the tap: `make test-loaders`."""
