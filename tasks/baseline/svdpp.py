"""Predicts ratings by SVD++, in which the films that a user has rated describe the user as well.

Koren, 2008, KDD, equation 15. Fitted by Adagrad (Duchi et al., 2011, JMLR 12), some users at a
time; sums are in a fixed order, so results do not depend on the number of cores.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from tasks.baseline.config import SVDPP
from tasks.baseline.interactions import Floats, Interactions, Ints

USERS = 64  # in a step: bounds the memory
BIAS_REGULARISATION = 0.02
SPREAD = 0.1  # standard deviation of the films' first factors


@dataclass(frozen=True)
class SVDPlusPlus:
    """Rating = mean + biases + film's factors · (user's factors + mean of the rated films')."""

    settings: SVDPP

    def __call__(self, training: Interactions, user: Ints, film: Ints) -> Floats:
        """One rating a pair."""
        rng, model = np.random.default_rng(self.settings.seed), _Model(training, self.settings)
        for _ in range(self.settings.epochs):
            order = rng.permutation(training.users)
            for first in range(0, len(order), USERS):
                model.step(order[first : first + USERS])
        return model.predict(user, film)


class _Model:
    """Parameters by name, of user: bias `bu`, factors `p`; of film: `bi`, `q`, as rated `y`."""

    def __init__(self, training: Interactions, settings: SVDPP) -> None:
        users, films, k = training.users, training.films, settings.factors
        count = np.bincount(training.user, minlength=users)
        shape, places = (users, films), (training.user, training.film)
        self.rated = sp.csr_array((1 / np.sqrt(count[training.user]), places), shape=shape)
        self.ratings = sp.csr_array((training.rating, places), shape=shape)
        self.settings, self.mean = settings, training.rating.mean()
        q = np.random.default_rng(settings.seed).normal(0, SPREAD, (films, k))
        q[np.bincount(training.film, minlength=films) == 0] = 0
        self.of = {
            "bu": np.zeros((users, 1)), "p": np.zeros((users, k)),
            "bi": np.zeros((films, 1)), "q": q, "y": np.zeros((films, k)),
        }  # fmt: skip
        self.squares = {name: np.zeros_like(values) for name, values in self.of.items()}

    def step(self, users: Ints) -> None:
        """One step of Adagrad on all ratings of these users."""
        ratings, rated, of = self.ratings[users], self.rated[users], self.of
        films, column = np.unique(ratings.indices, return_inverse=True)
        row = np.repeat(np.arange(len(users)), np.diff(ratings.indptr))
        shape, q = (len(users), len(films)), of["q"][films]
        rated = sp.csr_array((rated.data, column, rated.indptr), shape=shape)
        described = of["p"][users] + rated @ of["y"][films]
        error = ratings.data - self.mean - of["bu"][users][row, 0] - of["bi"][films][column, 0]
        error -= np.einsum("rk,rk->r", described[row], q[column])
        errors = sp.csr_array((error, column, rated.indptr), shape=shape)
        to_users = errors @ q
        of_user, of_film = np.diff(rated.indptr)[:, None], np.bincount(column)[:, None]
        self._move("bu", users, errors.sum(axis=1)[:, None], of_user)
        self._move("bi", films, errors.sum(axis=0)[:, None], of_film)
        self._move("p", users, to_users, of_user)
        self._move("q", films, errors.T @ described, of_film)
        self._move("y", films, rated.T @ to_users, of_film)

    def _move(self, name: str, rows: Ints, gradient: Floats, ratings: Ints) -> None:
        """Move the parameters of these rows, which have so many ratings."""
        penalty = BIAS_REGULARISATION if name[0] == "b" else self.settings.regularisation
        gradient = gradient - penalty * ratings * self.of[name][rows]
        self.squares[name][rows] += gradient**2
        size = np.sqrt(self.squares[name][rows] + 1e-8)
        self.of[name][rows] += self.settings.learning_rate * gradient / size

    def predict(self, user: Ints, film: Ints) -> Floats:
        """One rating a pair."""
        described = self.of["p"] + self.rated @ self.of["y"]
        factors = np.einsum("rk,rk->r", described[user], self.of["q"][film])
        return self.mean + self.of["bu"][user, 0] + self.of["bi"][film, 0] + factors
