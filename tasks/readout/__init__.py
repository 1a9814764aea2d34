"""From logits to ratings and titles."""
