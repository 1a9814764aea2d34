"""Finds the vector of a person who was not in a fit, from ratings of films that were."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from tasks.features.factors import Factors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STEPS = 20  # of expectation maximisation
RARE = 1e-6  # probability below which a difference of distributions has lost its digits


@dataclass(frozen=True)
class Posterior:
    """What a person's ratings say of the person's vector, in each sample of the factors: a normal.

    design [samples, ratings, rank + 1] are the films' vectors, with 1 for the person's own term,
    own [samples, ratings] the films' own terms; latent [samples, ratings] are the ratings' expected
    latent scores without these, mode [samples, rank + 1] and precision the normal's.
    """

    factors: Factors
    design: Floats
    own: Floats
    latent: Floats
    mode: Floats
    precision: Floats

    def draw(self, seed: int) -> NDArray[np.float32]:
        """A vector for each sample: [samples, rank + 1]."""
        noise = np.random.default_rng(seed).standard_normal(self.mode.shape)
        factor = np.linalg.cholesky(self.precision)  # L L' = precision: L'^-1 noise has its inverse
        spread = np.linalg.solve(factor.transpose(0, 2, 1), noise[..., None])[..., 0]
        return (self.mode + spread).astype(np.float32)

    def leave_one_out(self) -> Floats:
        """Each rating as the person's others make one expect it: [ratings, values].

        By the rating's leverage, as in linear regression: the others' latent scores stay, though
        they were expected with it, so that a rating moves its own expectation by some hundredths of
        a star.
        """
        solved = np.linalg.solve(self.precision, self.design.transpose(0, 2, 1))
        leverage = np.einsum("sni,sin->sn", self.design, solved)
        score = np.einsum("sni,si->sn", self.design, self.mode)
        score -= leverage / (1 - leverage) * (self.latent - score)
        return self.factors.distribution(score + self.own, leverage / (1 - leverage))


def fold_in(factors: Factors, film: Ints, code: Ints) -> Posterior:
    """The posterior of a person's vector, by indices of films and of the scale: [ratings] each.

    It is taken as normal around its mode: the fitted users' mean and variance are the prior, and
    the ordered probit's latent scores are replaced by their expectations (Albert and Chib, 1993,
    JASA 88(422)).
    """
    mean, variance = factors.users.mean(1), factors.users.var(1) + 1e-6  # [samples, rank + 1]
    ones = np.ones((*factors.films.shape[:1], len(film), 1))
    design = np.concatenate([factors.films[:, film, :-1], ones], axis=2)
    own = factors.films[:, film, -1].astype(np.float64)
    precision = np.einsum("sni,snj->sij", design, design)
    precision += np.stack([np.diag(1 / v) for v in variance])
    low, high = _thresholds(factors, code)
    vector, latent = mean.astype(np.float64), np.zeros(own.shape)
    for _ in range(STEPS):
        score = np.einsum("sni,si->sn", design, vector) + own
        latent = score + _truncated_mean(low - score, high - score) - own
        right = np.einsum("sni,sn->si", design, latent) + mean / variance
        vector = np.linalg.solve(precision, right[..., None])[..., 0]
    return Posterior(factors, design, own, latent, vector, precision)


def _thresholds(factors: Factors, code: Ints) -> tuple[Floats, Floats]:
    """The latent interval of each rating in each sample: [samples, ratings] twice.

    A value that no fitted rating had takes the interval of the next present one above, or the last.
    """
    place = np.minimum(np.searchsorted(factors.present, code), len(factors.present) - 1)
    edge = np.full((len(factors.cuts), 1), np.inf)
    cuts = np.concatenate([-edge, factors.cuts, edge], axis=1)
    return cuts[:, place], cuts[:, place + 1]


def _truncated_mean(low: Floats, high: Floats) -> Floats:
    """The mean of a standard normal between two bounds; where hardly any of it lies, by logarithms.

    The logarithm of the distribution takes several times as long as the distribution itself.
    """
    flip = low > 0  # by symmetry the lower tail serves, where ndtr is exact
    a, b = np.where(flip, -high, low), np.where(flip, -low, high)
    mass = ndtr(b) - ndtr(a)
    density = (np.exp(-a * a / 2) - np.exp(-b * b / 2)) / np.sqrt(2 * np.pi)
    rare = mass < RARE
    mean = density / np.where(rare, 1.0, mass)
    mean[rare] = _mean_in_tail(a[rare], b[rare])
    return np.where(flip, -mean, mean)


def _mean_in_tail(a: Floats, b: Floats) -> Floats:
    log_mass = log_ndtr(b) + np.log1p(-np.exp(np.minimum(log_ndtr(a) - log_ndtr(b), -1e-12)))
    density = [np.exp(-x * x / 2 - log_mass) / np.sqrt(2 * np.pi) for x in (a, b)]
    return density[0] - density[1]
