"""The local Clover's HTTP: server, routes, sending, and the tests' own door."""
