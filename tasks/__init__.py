"""What is done: one room a verb, each with one door, `task.py`."""
