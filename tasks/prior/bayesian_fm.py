"""Fits a Bayesian factorisation machine to ratings as an ordered probit.

Features as in "SVD++ flipped" (Rendle, Zhang and Koren, 2019, arXiv 1905.01395): one-hot user and
film, the films that the user has rated, and the users who have rated the film, each over the square
root of their number. The sampler is myFM's.
"""

import functools
import sys
import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tasks.features.factors import Factors

Ints = NDArray[np.int64]


def fit_bayesian_fm(
    user: Ints,
    film: Ints,
    code: Ints,
    *,
    users: int,
    films: int,
    values: int,
    rank: int,
    draws: int,
    kept: int,
    seed: int,
    period: Ints | None = None,
) -> Factors:
    """Sample the posterior. Arrays [ratings]: user and film from 0, `code` the index in the scale.

    `period` [films], from 0, is a further feature of each film. The first sixth of the draws is
    dropped; `kept` of the others, evenly spaced, stay.
    """
    present, code = np.unique(code, return_inverse=True)  # myFM wants every class to occur
    if len(present) == 1:  # and two of them
        nothing = np.zeros((1, users + films, rank + 1), np.float32)
        return Factors(nothing[:, :users], nothing[:, users:], nothing[:, 0, :0], present, values)
    blocks = _blocks(user, film, users, films)
    groups = [users, films, films, users]
    if period is not None:
        blocks = blocks[0], sp.hstack([blocks[1], _one_hot(period)]).tocsr()
        groups.append(int(period.max()) + 1)
    samples = _sample(user, film, code, blocks, groups, rank, draws, seed)
    chosen = np.linspace(0, len(samples) - 1, min(kept, len(samples))).round().astype(int)
    of_users, of_films, cuts = [], [], []
    width = blocks[0].shape[1]
    for sample in (samples[i] for i in chosen):
        w, v = np.asarray(sample.w), np.asarray(sample.V)
        of_users.append(_vectors(blocks[0], w[:width], v[:width], sample.w0))
        of_films.append(_vectors(blocks[1], w[width:], v[width:], 0.0))
        cuts.append(np.asarray(sample.cutpoints[0]))
    return Factors(
        np.stack(of_users), np.stack(of_films), np.stack(cuts).astype(np.float32), present, values
    )


def _blocks(user: Ints, film: Ints, users: int, films: int) -> tuple[sp.csr_array, sp.csr_array]:
    """The features of every user and of every film, a row each."""
    rated = sp.csr_array((np.ones(len(user)), (user, film)), shape=(users, films))
    return (
        sp.hstack([sp.eye_array(users), _over_root(rated)]).tocsr(),
        sp.hstack([sp.eye_array(films), _over_root(rated.T.tocsr())]).tocsr(),
    )


def _one_hot(number: Ints) -> sp.csr_array:
    rows = np.arange(len(number))
    return sp.csr_array((np.ones(len(number)), (rows, number)))


def _over_root(rated: sp.csr_array) -> sp.csr_array:
    counts = np.maximum(np.asarray(rated.sum(axis=1)), 1)
    return sp.diags_array(1 / np.sqrt(counts)) @ rated


def _sample(
    user: Ints,
    film: Ints,
    code: Ints,
    blocks: tuple[sp.csr_array, sp.csr_array],
    groups: list[int],
    rank: int,
    draws: int,
    seed: int,
) -> list[Any]:
    path = list(sys.path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # myFM asks for a module that setuptools will drop
        import myfm
        from myfm import base
    sys.path[:] = path  # without setuptools' own copies of packages
    base.tqdm = functools.partial(base.tqdm, disable=True)
    machine = myfm.MyFMOrderedProbit(rank=rank, random_seed=seed)
    machine.fit(
        sp.csr_matrix((len(user), 0)),
        code,
        X_rel=[
            myfm.RelationBlock(index.tolist(), sp.csr_matrix(block))
            for index, block in zip((user, film), blocks, strict=True)
        ],
        group_shapes=groups,
        n_iter=draws,
        n_kept_samples=draws - draws // 6,
        callback=lambda *_: (False, None),
    )
    return list(machine.predictor_.samples)


def _vectors(
    block: sp.csr_array, w: NDArray[np.float64], v: NDArray[np.float64], constant: float
) -> NDArray[np.float32]:
    """[rows, rank + 1]: each row's factors, and in the last column its terms of its own.

    Features of a row interact among themselves as well: half of (sum² - sum of squares).
    """
    factors = block @ v
    own = constant + block @ w + (np.square(factors) - block.power(2) @ np.square(v)).sum(1) / 2
    return np.c_[factors, own].astype(np.float32)
