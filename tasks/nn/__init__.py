"""A network and its fast path: attention over packed examples, a KV cache, logits."""
