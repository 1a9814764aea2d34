"""Lists the films with the most ratings, and keeps other models to these."""

from dataclasses import dataclass, replace

import numpy as np

from tasks.baseline.interactions import Entries, Interactions, Ints, ListModel


def popularity(training: Interactions, users: Ints, k: int) -> Entries:
    """User, rank, film and score (its number of ratings) of each entry, by user and rank.

    Ties are in order of film code.
    """
    counts = np.bincount(training.film, minlength=training.films)
    order = np.argsort(-counts, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    first = np.searchsorted(training.user, np.arange(training.users + 1))
    films = []
    for user in users:
        seen = place[training.film[first[user] : first[user + 1]]]
        # The first k + len(seen) places have k films that the user has not rated.
        unseen = np.ones(min(k + len(seen), len(order)), dtype=bool)
        unseen[seen[seen < len(unseen)]] = False
        films.append(order[: len(unseen)][unseen][:k])
    lengths = np.array([len(entries) for entries in films])
    film = np.concatenate(films)
    rank = np.concatenate([np.arange(1, n + 1) for n in lengths])
    return np.repeat(users, lengths), rank, film, counts[film].astype(np.float64)


@dataclass(frozen=True)
class MostRatedLists:
    """A model's lists, learnt from and made of the `films` most rated films; None: of all."""

    model: ListModel
    films: int | None

    def __call__(self, training: Interactions, users: Ints, k: int) -> Entries:
        """As the model."""
        if self.films is None:
            return self.model(training, users, k)
        counts = np.bincount(training.film, minlength=training.films)
        chosen = np.argsort(-counts, kind="stable")[: self.films]
        rows = np.isin(training.film, chosen)
        user, film, rating = training.user[rows], training.film[rows], training.rating[rows]
        return self.model(replace(training, user=user, film=film, rating=rating), users, k)


def fill_with_popular(entries: Entries, training: Interactions, users: Ints, k: int) -> Entries:
    """A model's entries; who has none gets the popular films.

    Without a rating to start from a model has nothing to say, and nobody is left out of a metric.
    """
    without = np.setdiff1d(users, entries[0])
    if not len(without):
        return entries
    popular = popularity(training, without, k)
    user, rank, film, score = (np.concatenate(p) for p in zip(entries, popular, strict=True))
    return user, rank, film, score
