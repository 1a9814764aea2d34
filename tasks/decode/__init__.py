"""Lists of films that the language model writes: over the catalogue, and as free text."""
