"""EASE, a linear item-item model with a closed-form solution, in its primal or its dual form.

Steck, 2019, Embarrassingly Shallow Autoencoders for Sparse Data, arXiv 1905.03375, eq. 8: with
P = (X'X + penalty)^-1 the scores of a profile x are x - xP / diag(P). Where users are fewer than
films, xP is found from (XX' + penalty)^-1, by Woodbury's identity: time and memory grow with the
smaller of the two.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.linalg import inv

from tasks.rank.interactions import build_interactions, count_cooccurrences

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ease:
    """A fit: `inverse` is P [films, films], or of the dual form [users, users].

    `interactions` [users, films] is None in the primal form.
    """

    films: pl.DataFrame  # film_id, ascending, and first_rated_at
    penalty: float
    inverse: Floats
    diagonal: Floats  # of P
    interactions: Floats | None

    @classmethod
    def fit(cls, known: pl.DataFrame, films: pl.DataFrame, penalty: float) -> "Ease":
        """Fit to the ratings that are known of these films."""
        users = known["user_id"].unique().sort()
        if len(users) >= len(films):
            inverse = _invert(count_cooccurrences(known, films), penalty)
            return cls(films, penalty, inverse, np.diag(inverse).copy(), None)
        rated = build_interactions(known, users, films).toarray()
        inverse = _invert(rated @ rated.T, penalty)
        diagonal = (1 - np.einsum("uf,uf->f", rated, inverse @ rated)) / penalty
        return cls(films, penalty, inverse, diagonal, rated)

    def score(self, profiles: Floats) -> Floats:
        """[profiles, films]: the scores of films for profiles of ones [profiles, films].

        Scores of films that are in a profile mean nothing.
        """
        if self.interactions is None:
            smoothed = profiles @ self.inverse
        else:
            weights = (profiles @ self.interactions.T) @ self.inverse
            smoothed = (profiles - weights @ self.interactions) / self.penalty
        scores: Floats = profiles - smoothed / self.diagonal
        return scores

    def save(self, file: Path) -> None:
        """Write as npz, the interactions as places."""
        rated = np.empty((0, 2), np.int32)
        if self.interactions is not None:
            rated = np.argwhere(self.interactions).astype(np.int32)
        np.savez(
            file,
            film_id=self.films["film_id"].to_numpy(),
            first_rated_at=self.films["first_rated_at"].to_physical().to_numpy(),
            penalty=self.penalty,
            inverse=self.inverse,
            diagonal=self.diagonal,
            rated=rated,
        )

    @classmethod
    def load(cls, file: Path) -> "Ease":
        """Read what `save` wrote."""
        read = np.load(file)
        time = pl.Series(read["first_rated_at"]).cast(pl.Datetime("us", "UTC"))
        films = pl.DataFrame({"film_id": read["film_id"], "first_rated_at": time})
        inverse, rated, interactions = read["inverse"], read["rated"], None
        if len(rated):
            interactions = np.zeros((len(inverse), len(films)))
            interactions[rated[:, 0], rated[:, 1]] = 1.0
        return cls(films, float(read["penalty"]), inverse, read["diagonal"], interactions)


def _invert(gram: Floats, penalty: float) -> Floats:
    """Of the penalised matrix, in its place: it has gigabytes. By Cholesky's decomposition."""
    gram[np.diag_indices_from(gram)] += penalty
    inverse: Floats = inv(gram.T, overwrite_a=True, check_finite=False, assume_a="pos").T
    return inverse
