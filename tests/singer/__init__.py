"""Tests of the room `singer`."""
