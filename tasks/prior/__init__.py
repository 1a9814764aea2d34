"""What is expected of each rating before the language model reads: forward-chained, so no leak."""
