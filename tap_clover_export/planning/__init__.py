"""What is covered, what is missing, in which windows; pure."""
