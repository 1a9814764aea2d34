"""What a baseline learns from: ratings as arrays, users and films as codes from 0."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """Ratings by user, oldest first; `users` and `films` say how many codes there are."""

    user: Ints
    film: Ints
    rating: Floats
    users: int
    films: int
