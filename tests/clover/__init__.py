"""Tests of the room `clover`."""
