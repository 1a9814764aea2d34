"""Hashes integers by seed and purpose: the same number on every machine and library version.

Polars and DuckDB promise their hashes for one version only, and NumPy its `Generator` methods not
at all. What decides a fold, a tie or a sample comes from here: SHA-256 of seed and purpose, mixed
with the keys by SplitMix64 (Steele, Lea and Flood, 2014, Fast Splittable Pseudorandom Number
Generators).
"""

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

Hashes = NDArray[np.uint64]
Ints = NDArray[np.int64]


def hash_integers(seed: int, purpose: str, *keys: ArrayLike) -> Hashes:
    """The hash of each row of integer arrays of equal length.

    Other purposes ("ties", "folds", ...) give independent hashes under the same seed.
    """
    text = f"{purpose} {seed}".encode()
    state = np.array(int.from_bytes(hashlib.sha256(text).digest()[:8], "little"), np.uint64)
    for key in keys:
        state = _mix(state ^ _mix(np.asarray(key).astype(np.int64).view(np.uint64)))
    return state


def uniform(seed: int, purpose: str, *keys: ArrayLike) -> NDArray[np.float64]:
    """A number in [0, 1) for each row of the keys: the first 53 bits of its hash."""
    return (hash_integers(seed, purpose, *keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def permute(size: int, seed: int, purpose: str) -> Ints:
    """The integers below `size` in a seeded order; the first n of them are a sample."""
    return np.argsort(hash_integers(seed, purpose, np.arange(size)), kind="stable")


def _mix(x: Hashes) -> Hashes:
    """The step and the finalizer of SplitMix64, modulo 2^64."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
