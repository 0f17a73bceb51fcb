"""What can go wrong on request: faults, when they strike, and what they do."""
