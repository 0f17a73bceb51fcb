"""One export: created, polled and downloaded; what is tried again, when and how long."""
