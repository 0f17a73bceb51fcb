"""The local Clover's HTTP: server, routes, sending, and what is open to tests alone."""
