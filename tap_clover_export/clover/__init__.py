"""Clover's Export API: the only room that speaks HTTP, one attempt a call."""
