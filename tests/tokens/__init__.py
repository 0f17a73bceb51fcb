"""Where rotated tokens are kept."""
