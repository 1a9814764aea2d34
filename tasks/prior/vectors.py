"""Users' vectors, found from their ratings and kept with a hash of them."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.features.factors import Factors
from tasks.features.fold_in import fold_in
from tasks.store.artifacts import RatingPriors

FILE = "vectors.npz"
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Vectors:
    """Finds the vector [samples, rank + 1] of whoever gave some ratings, once for the same ones."""

    def __init__(self, factors: Factors, film_ids: Ints, earlier: RatingPriors | None) -> None:
        """`film_ids` are those of the catalogue; `earlier` keeps vectors of the same fit."""
        self.factors, self._film_ids = factors, film_ids
        self._earlier: dict[bytes, Floats] = {}
        if earlier:
            kept = np.load(earlier.path / FILE)
            self._earlier = dict(zip(kept["hashes"], kept["vectors"], strict=True))
        self._found: dict[bytes, Floats] = {}

    def find(self, film: Ints, code: Ints) -> Floats:
        """From ratings, as indices of films and of the scale."""
        content = np.stack([self._film_ids[film], code]).astype(np.int64)
        key = hashlib.sha256(content.tobytes()).hexdigest().encode()
        vector = self._earlier.get(key)
        if vector is None:
            vector = fold_in(self.factors, film, code).draw(seed=0)
        self._found[key] = vector
        return vector

    def save(self, folder: Path) -> None:
        """Write vectors.npz: what was found, in the order of the hashes."""
        keys = sorted(self._found)
        vectors = np.array([self._found[key] for key in keys])
        np.savez(folder / FILE, hashes=np.array(keys, "S64"), vectors=vectors)
