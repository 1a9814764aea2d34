"""The stages of the pipeline, each a folder with one `task.py`, and what they share."""

import os

# OpenMP's threads sleep while they wait for each other; spinning, they take the cores from other
# processes (bench/waiting.py). The runtime reads this when it loads, and whatever loads it imports
# this package first: the command, a worker's runs, training processes, workers of a cluster.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
