"""Fits the weights with which the features of candidates are summed into a ranking.

The mix is a conditional logit (McFadden, 1974): each of a user's candidates is chosen with a
probability proportional to exp(weighted sum of its features). The weights, none negative, maximise
the likelihood of the validation targets. LM features are used only if they raise cross-validated
NDCG; likewise recency_similarity.
"""

from collections.abc import Sequence
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
    "interactions and model": FEATURES,
}
PENALTY = 1.0  # on squared weights of standardised features
FOLDS = 5  # of users, in cross-validation


class User(NamedTuple):
    """One user's candidates in the retriever's order."""

    features: Floats  # [candidates, features]
    hit: Floats  # 1 where a candidate is a target
    targets: int  # of the user, retrieved or not


def fit_mix(validation: pl.DataFrame, list_length: int) -> dict[str, Any]:
    """Choose a feature set by cross-validated NDCG, the smallest among equals; fit its weights.

    `validation` are the validation fold's rows of `build_features`.
    """
    users = [
        User(rows.select(FEATURES).to_numpy(), rows["hit"].to_numpy(), rows["targets"][0])
        for rows in validation.partition_by("user_id", maintain_order=True)
    ]
    ndcg = {name: _cross_validate(users, used, list_length) for name, used in FEATURE_SETS.items()}
    best = max(ndcg, key=lambda name: ndcg[name])
    weights = dict(zip(FEATURES, _fit(users, FEATURE_SETS[best]).tolist(), strict=True))
    return {"used_features": best, "weights": weights, "validation_ndcg": ndcg}


def _fit(users: Sequence[User], used: Sequence[str]) -> Floats:
    """Weights of FEATURES that maximise the penalised likelihood of the hits; 0 if not used."""
    from scipy.optimize import minimize  # takes 0.2 s, which applying a mix does not need

    start = np.array([float(name == "retrieval_score") for name in FEATURES])
    if len(used) == 1:
        return start
    hits = [(user.features, user.hit) for user in users if user.hit.any()]

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
            order = np.argsort(-(user.features @ weights), kind="stable")
            gains.append(_ndcg(user.hit[order], user.targets, k))
    return float(np.mean(gains)) if gains else 0.0


def _ndcg(hits: Floats, targets: int, k: int) -> float:
    """Discounted gain of the first k over that of a list that starts with all targets."""
    discount = 1 / np.log2(np.arange(2, k + 2))
    return float(hits[:k] @ discount[: len(hits[:k])] / discount[:targets].sum())
