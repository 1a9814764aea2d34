"""Fits the weights with which the features of candidates are summed into a ranking.

The mix is a conditional logit (McFadden, 1974): of a user's candidates that may be named, each is
chosen with a probability proportional to exp(weighted sum of its features). The weights, none
negative, maximise the likelihood of the validation targets that were liked. Of several sets of
features that with the best cross-validated NDCG of liked films is used.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import log_softmax

from tasks.rank.features import FEATURES

Floats = NDArray[np.float64]
FEATURE_SETS = {
    "retriever": FEATURES[:1],
    "interactions": FEATURES[:2],
    "recent interactions": FEATURES[:3],
    "interactions and expectation": FEATURES[:4],
    "interactions, expectation and language model": FEATURES,
}
PENALTY = 1.0  # on squared weights of standardised features
FOLDS = 5  # of users, in cross-validation


class User(NamedTuple):
    """One user's candidates in the retriever's order."""

    features: Floats  # [candidates, features]
    hit: Floats  # 1 where a candidate was liked
    below: NDArray[np.bool_]  # where it is named only if nothing else is left
    liked: int  # targets of the user, retrieved or not

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "User":
        """From the user's rows of `mark_hits`. Where all candidates are below, none counts so."""
        below = rows["below"].to_numpy()
        features, hit = rows.select(FEATURES).to_numpy(), rows["hit"].to_numpy()
        return cls(features, hit, below & ~below.all(), rows["liked"][0])


def fit_mix(
    validation: pl.DataFrame, list_length: int, sets: Mapping[str, Sequence[str]] = FEATURE_SETS
) -> dict[str, Any]:
    """Choose one of the sets of features, the smallest among equals; fit its weights.

    `validation` are the rows of `mark_hits` of the validation fold.
    """
    users = [User.of(rows) for rows in validation.partition_by("user_id", maintain_order=True)]
    ndcg = {name: _cross_validate(users, used, list_length) for name, used in sets.items()}
    best = max(ndcg, key=lambda name: ndcg[name])
    weights = dict(zip(FEATURES, _fit(users, sets[best]).tolist(), strict=True))
    return {"used_features": best, "weights": weights, "validation_ndcg": ndcg}


def _fit(users: Sequence[User], used: Sequence[str]) -> Floats:
    """Weights of FEATURES that maximise the penalised likelihood of the hits; 0 if not used."""
    from scipy.optimize import minimize  # takes 0.2 s, which applying a mix does not need

    start = np.array([float(name == "retrieval_score") for name in FEATURES])
    if len(used) == 1:
        return start
    allowed = [(user.features[~user.below], user.hit[~user.below]) for user in users]
    hits = [(features, hit) for features, hit in allowed if hit.any()]

    def loss(weights: Floats) -> tuple[float, Floats]:
        total, slope = PENALTY * float(weights @ weights), 2 * PENALTY * weights
        for features, hit in hits:
            log_p = log_softmax(features @ weights)
            total -= float(hit @ log_p)
            slope = slope - features.T @ (hit - hit.sum() * np.exp(log_p))
        return total, slope

    bounds = [(0.0, None if name in used else 0.0) for name in FEATURES]
    return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x


def _cross_validate(users: Sequence[User], used: Sequence[str], k: int) -> float:
    """Mean NDCG at k, each fold of users being ranked with the weights of the others."""
    gains = []
    for fold in range(FOLDS):
        weights = _fit([user for i, user in enumerate(users) if i % FOLDS != fold], used)
        for user in users[fold::FOLDS]:
            if user.liked:
                order = np.lexsort((-(user.features @ weights), user.below))
                gains.append(_ndcg(user.hit[order], user.liked, k))
    return float(np.mean(gains)) if gains else 0.0


def _ndcg(hits: Floats, liked: int, k: int) -> float:
    """Discounted gain of the first k over that of a list that starts with all liked films."""
    discount = 1 / np.log2(np.arange(2, k + 2))
    return float(hits[:k] @ discount[: len(hits[:k])] / discount[:liked].sum())
