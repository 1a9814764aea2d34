"""Provides the frozen base model: from the hub, a folder or a wheel, or trained from scratch."""
