"""Other ways to get the same records, each a program that takes the same job as the tap."""
