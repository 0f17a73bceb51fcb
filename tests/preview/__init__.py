"""Tests of the room `preview`."""
