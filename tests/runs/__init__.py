"""Whole runs of the tap against the local Clover."""
