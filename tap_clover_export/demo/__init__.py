"""The demo: two made-up shops, a local Clover, Meltano and an embedded PostgreSQL."""
