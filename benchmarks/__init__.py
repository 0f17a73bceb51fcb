"""How fast the tap is, beside others that do the same work on the same machine: `make bench`."""
