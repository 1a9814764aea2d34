"""Finds the data, whatever its layout, and brings it into typed columns."""
