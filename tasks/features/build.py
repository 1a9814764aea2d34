"""Tells the facts of each rating as its own fold may know them, a group of users at a time."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from tasks.features.biases import Biases, fitted
from tasks.features.collaborative import bias_guess, neighbour_guess
from tasks.features.config import FeatureSettings
from tasks.features.point_in_time import Facts, facts_before, facts_of
from tasks.features.rating_arrays import RatingArrays, take_rows
from tasks.features.time_ordered_stats import Known, Replay
from tasks.features.user_shards import Groups

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Tell = Callable[[RatingArrays], Facts]  # of one group's ratings; it can be worked out elsewhere
Teller = Callable[[int], Tell]


class Dampings(TypedDict):
    """Ratings of the mean that every film and user has to begin with."""

    item_damping: float
    user_damping: float


def teller(
    groups: Groups, films: int, middle: float, users: Sequence[int] | None, config: FeatureSettings
) -> Teller:
    """What tells the facts of a group: worked out in bounded memory where biases are all it takes.

    `middle` stands in for the mean of all ratings before the first. `users` are those whose facts
    will be told, all where it is None: guesses by neighbours are not made for others.
    """
    if config.prior == "neighbours":
        return _at_once(groups, middle, users, config)
    replay = Replay(groups, Known.nothing(films, middle))
    replay.run(targets=config.features_as_of == "rating")
    biases: list[Biases] = []
    if config.features_as_of == "fold":
        folds = sorted({int(fold) for rows in groups for fold in np.unique(rows.fold[rows.target])})
        biases = fitted(groups, replay.known, folds, **_dampings(config))
    told = partial(_told, known=replay.known, biases=biases, config=config)
    return lambda group: partial(told, found=replay.found(group))


def _told(
    rows: RatingArrays,
    *,
    found: Floats,
    known: Known,
    biases: list[Biases],
    config: FeatureSettings,
) -> Facts:
    """Facts of their own time, but for targets of folds that have biases: of the fold's beginning.

    A user's ratings weigh in the user's bias with what was known when they were given themselves.
    """
    overall, film_sum, film_count = found.T
    for of in biases:
        own = rows.target & (rows.fold == of.fold)
        overall[own] = of.middle
        film_sum[own] = known.sums[of.fold][rows.film[own]]
        film_count[own] = known.counts[of.fold][rows.film[own]]
    dampings = _dampings(config)
    columns = (overall, film_sum, film_count)
    told = {
        int(fold): facts_of(rows.user, rows.rating, rows.known_to(fold), *columns, **dampings)
        for fold in np.unique(rows.fold)
    }
    facts = _of_folds(rows, told)
    guess = facts.guess
    for of in biases:
        guess = np.where(rows.target & (rows.fold == of.fold), of.guess(rows), guess)
    return replace(facts, guess=guess)


def _at_once(
    groups: Groups, middle: float, users: Sequence[int] | None, config: FeatureSettings
) -> Teller:
    """All of them: nearness of films takes far more memory than the ratings themselves."""
    each = list(groups)
    rows = RatingArrays(
        **{name: np.concatenate([vars(r)[name] for r in each]) for name in vars(each[0])}
    )
    ends = np.cumsum([len(r.user) for r in each])
    time = rows.time
    if config.features_as_of == "fold":
        time = np.where(rows.target, np.iinfo(np.int64).max, time)
    asked = np.ones(len(time), bool) if users is None else np.isin(rows.user, users)
    folds = (int(fold) for fold in np.unique(rows.fold[asked]))
    told = {f: _fold_at_once(rows, time, f, middle, asked, config) for f in folds}
    facts = _of_folds(rows, told)

    def tell(group: int) -> Tell:
        own = take_rows(facts, np.arange(ends[group] - len(each[group].user), ends[group]))
        return partial(_as_they_are, facts=own)

    return tell


def _as_they_are(_: RatingArrays, *, facts: Facts) -> Facts:
    return facts


def _fold_at_once(
    rows: RatingArrays, time: Ints, fold: int, middle: float, asked: Bools, config: FeatureSettings
) -> Facts:
    known = rows.known_to(fold)
    dampings = _dampings(config)
    facts = facts_before(rows.user, rows.film, rows.rating, time, known, **dampings, middle=middle)
    if config.features_as_of == "rating" or not known.any():
        return facts
    user = np.unique(rows.user, return_inverse=True)[1]
    told = (user, rows.film, rows.rating, known)
    mends = config.neighbours.model_dump()
    asked = asked & (rows.fold == fold)
    biased = bias_guess(*told, **dampings)
    guess = neighbour_guess(*told, facts.guess, biased, **mends, asked=asked)
    return replace(facts, guess=guess)


def _of_folds(rows: RatingArrays, told: dict[int, Facts]) -> Facts:
    """Of each rating what is told of its own fold."""
    own = [rows.fold == fold for fold in told]
    names = vars(next(iter(told.values())))
    return Facts(**{n: np.select(own, [vars(facts)[n] for facts in told.values()]) for n in names})


def _dampings(config: FeatureSettings) -> Dampings:
    return {"item_damping": config.item_damping, "user_damping": config.user_damping}
