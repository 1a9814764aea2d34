"""Posterior samples of a factorisation: a distribution over the scale for any user and film."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.special import ndtr

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FLOOR = 1e-4  # probability spread over the scale, so that no value is impossible
ROWS = 1 << 15  # pairs at a time


@dataclass(frozen=True)
class Factors:
    """Samples of an ordered probit whose score is the product of two vectors.

    users [samples, users, rank + 1] and films [samples, films, rank + 1] end in a term of their
    own; cuts [samples, present values - 1] are the thresholds between the values with the indices
    `present` of a scale of `values`.
    """

    users: NDArray[np.float32]
    films: NDArray[np.float32]
    cuts: NDArray[np.float32]
    present: Ints
    values: int

    def probabilities(self, user: Ints, film: Ints) -> Floats:
        """[pairs, samples' mean over values]: the predictive distribution of each pair."""
        parts = [
            self._probabilities(self.users, user[i : i + ROWS], film[i : i + ROWS])
            for i in range(0, len(user), ROWS)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.values))

    def _probabilities(self, users: NDArray[np.float32], user: Ints, film: Ints) -> Floats:
        total = np.zeros((len(user), self.values))
        for of_users, of_films, cuts in zip(users, self.films, self.cuts, strict=True):
            u, f = of_users[user], of_films[film]
            score = np.einsum("ij,ij->i", u[:, :-1], f[:, :-1]) + u[:, -1] + f[:, -1]
            below = ndtr(cuts[None] - score[:, None].astype(np.float64))
            total[:, self.present] += np.diff(below, axis=1, prepend=0.0, append=1.0)
        return (1 - FLOOR) * total / len(users) + FLOOR / self.values

    def distribution(self, score: Floats, variance: Floats) -> Floats:
        """The predictive distribution [pairs, values] of scores that are normal in each sample.

        score, variance [samples, pairs]: mean and variance, that of a rating itself left out.
        """
        spread = np.sqrt(1 + variance)[..., None]
        below = ndtr((self.cuts[:, None].astype(np.float64) - score[..., None]) / spread)
        mean = np.zeros((score.shape[1], self.values))
        mean[:, self.present] = np.diff(below, axis=2, prepend=0.0, append=1.0).mean(0)
        return (1 - FLOOR) * mean + FLOOR / self.values

    def save(self, file: Path) -> None:
        """Write as safetensors."""
        save_file({name: np.ascontiguousarray(v) for name, v in self._arrays().items()}, file)

    def _arrays(self) -> dict[str, NDArray]:
        sizes = {"present": np.asarray(self.present), "values": np.array([self.values])}
        return {"users": self.users, "films": self.films, "cuts": self.cuts, **sizes}

    @classmethod
    def load(cls, file: Path) -> "Factors":
        """Read what `save` wrote."""
        read = load_file(file)
        values = int(read.pop("values")[0])
        return cls(read["users"], read["films"], read["cuts"], read["present"], values)
