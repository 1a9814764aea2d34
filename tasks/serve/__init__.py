"""Tonight's lists for everyone: composed, held to guard rails, swapped in at once."""
