"""Point-in-time features: what was known of a film and of a user before each rating."""
