"""`--login`, against the page of the local Clover."""
