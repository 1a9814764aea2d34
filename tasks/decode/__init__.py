"""Lists of films that the language model writes."""
