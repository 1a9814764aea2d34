"""The list that everybody gets: what most have rated, less what the user has."""

import numpy as np

from tasks.baseline.interactions import Floats, Ints, Known


def popularity(known: Known, users: Ints, k: int) -> tuple[Ints, Ints, Ints, Floats]:
    """User, rank, film and score (how many rated it) of each entry, by user and rank.

    Equals are in order of their codes; a film that nobody rated is named last.
    """
    counts = np.bincount(known.film, minlength=known.films)
    order = np.argsort(-counts, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    first = np.searchsorted(known.user, np.arange(known.users + 1))
    films = []
    for user in users:
        seen = place[known.film[first[user] : first[user + 1]]]
        # Among the first k + seen places there are k that the user has not rated.
        free = np.ones(min(k + len(seen), len(order)), dtype=bool)
        free[seen[seen < len(free)]] = False
        films.append(order[: len(free)][free][:k])
    lengths = np.array([len(named) for named in films])
    film = np.concatenate(films)
    rank = np.concatenate([np.arange(1, n + 1) for n in lengths])
    return np.repeat(users, lengths), rank, film, counts[film].astype(np.float64)
