"""Finds a data set, detects its format and reads it into typed columns."""
