"""The stages of the pipeline, each a folder with one `task.py`, and what they share."""
