"""A bucket or a mount that several machines share."""
