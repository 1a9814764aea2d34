"""Where finished artifacts are kept as well: a bucket, or a folder that several machines mount."""
