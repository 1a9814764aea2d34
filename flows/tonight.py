"""Finds what is known tonight: the newest ratings of a data set, and the list that a user has."""

from typing import NamedTuple

from tasks.metrics_db import newest_split
from tasks.metrics_location import metrics_path
from tasks.recommend.config import RecommendRequest
from tasks.recommend.format import Recommendation, RecommendedFilm
from tasks.serve.record import Serve
from tasks.serve.swap import read_served, served_list
from tasks.store.artifacts import Candidates, ServedLists, SplitRatings, ValidatedRatings
from tasks.store.store import Store


class Tonight(NamedTuple):
    """The newest ratings of a data set, and the candidates of everyone where lists were served."""

    split: SplitRatings
    ratings: ValidatedRatings
    candidates: Candidates | None = None


def find_tonights_data(dataset: str, store: Store) -> Tonight:
    """Those of the newest run of a data set, or of lists that were served after it.

    Raises FileNotFoundError where no run was published.
    """
    fingerprint, run_at = newest_split(metrics_path(store), dataset)
    split = store.find(SplitRatings, fingerprint)
    ratings = store.ancestor(ValidatedRatings, split)
    served = _served(store, dataset)
    if served is None or (served.data != ratings.fingerprint and served.served_at < run_at):
        return Tonight(split, ratings)
    lists = store.find(ServedLists, served.lists)
    split = store.ancestor(SplitRatings, store.ancestor(SplitRatings, lists))
    ratings = store.ancestor(ValidatedRatings, split)
    return Tonight(split, ratings, store.ancestor(Candidates, lists))


def find_tonights_list(
    request: RecommendRequest, champion: str, dataset: str, store: Store
) -> Recommendation | None:
    """The list that a user is served; None where it has to be computed.

    That is where ratings were typed or reasons are asked for, where another champion or newer
    ratings are known, or where no list as long is served to that user.
    """
    served = _served(store, dataset)
    if request.ratings or request.reasons or served is None or served.champion != champion:
        return None
    fingerprint, run_at = newest_split(metrics_path(store), dataset)
    if run_at > served.served_at:
        known = store.read_manifest(SplitRatings, fingerprint)["parents"]
        if served.data not in [parent["fingerprint"] for parent in known]:
            return None
    rows = served_list(store.root, request.user or 0).head(request.list_length)
    if len(rows) < request.list_length:
        return None
    columns = RecommendedFilm.__dataclass_fields__
    films = [
        RecommendedFilm(**{k: v for k, v in row.items() if k in columns}, reasons=[])
        for row in rows.iter_rows(named=True)
    ]
    return Recommendation(user=request.user, typed=[], films=films)


def _served(store: Store, dataset: str) -> Serve | None:
    manifest = read_served(store.root)
    served = Serve.from_manifest(manifest) if manifest else None
    return served if served and served.dataset == dataset else None
