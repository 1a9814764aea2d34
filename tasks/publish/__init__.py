"""Publishes runs to the metrics database and decides about promotion."""
