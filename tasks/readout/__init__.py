"""From logits to ratings and likelihoods."""
