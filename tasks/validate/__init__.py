"""Checks every row against rules; rows that violate one go to quarantine, with the rule."""
