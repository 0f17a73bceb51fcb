"""Clover's own sales figures, from what was rung up; no JSON is read for them."""
