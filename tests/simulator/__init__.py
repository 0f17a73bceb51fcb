"""Tests of the local Clover."""
