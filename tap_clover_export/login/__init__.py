"""`--login`: a merchant agrees at Clover, and the first pair of a chain is kept."""
