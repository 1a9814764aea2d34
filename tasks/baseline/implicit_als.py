"""Lists films by implicit's alternating least squares on what was rated, whatever the rating.

Hu, Koren and Volinsky, 2008, ICDM.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from tasks.baseline.config import ImplicitALS
from tasks.baseline.interactions import Entries, Interactions, Ints, as_entries


@dataclass(frozen=True)
class ImplicitALSLists:
    """Films that a user has not rated. A user without ratings has no list."""

    settings: ImplicitALS

    # implicit wants BLAS to have one thread. With one of its own, too, no sum changes its order.
    @threadpool_limits.wrap(limits=1, user_api="blas")
    def __call__(self, training: Interactions, users: Ints, k: int) -> Entries:
        """User, rank, film and score of each entry, by user and rank."""
        ones = np.ones(len(training.user), np.float32)
        rated = sp.csr_matrix(
            (ones, (training.user, training.film)), shape=(training.users, training.films)
        )
        model = AlternatingLeastSquares(
            factors=self.settings.factors,
            regularization=self.settings.regularisation,
            alpha=self.settings.alpha,
            iterations=self.settings.iterations,
            num_threads=1,
            random_state=self.settings.seed,
        )
        model.fit(rated, show_progress=False)
        users = np.intersect1d(users, training.user)
        length = min(k, training.films)
        film, score = model.recommend(users, rated[users], N=length)
        return as_entries(users, film, np.where(score > np.finfo(np.float32).min, score, np.nan))
