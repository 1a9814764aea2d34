"""Brings the frozen base model: from the hub, from a folder, or built from nothing."""
