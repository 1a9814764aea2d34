"""The hand-made world of two users, and a run of it to publish."""

import dataclasses
from collections.abc import Callable

import pytest

from tasks.metrics_db import open_readonly
from tasks.metrics_location import metrics_path, migrated_metrics
from tasks.publish.contest import Contest
from tasks.publish.opponent import Challenge, champion_of
from tasks.publish.task import publish
from tasks.score.task import Score, score
from tasks.store.artifacts import SplitRatings
from tasks.store.store import Store
from tests.world import LISTED, PREDICTED, challenge, predict, rank, ratings, split  # noqa: F401


@pytest.fixture
def publish_run(store, split, ratings, predict, rank) -> Callable[..., str]:  # noqa: F811
    """`publish_run(challenge, rows, films)`: publish these predictions of llm; return the id.

    The challenge expects the champion of this moment, unless `current` is false. `seed` of the
    intervals makes it another run, `data` and `of` are its ratings and their split; `beside` and
    `lists_beside` are predictions and lists beside those of llm and its rival.
    """

    def build(
        challenge: Challenge,  # noqa: F811
        rows=PREDICTED,
        films=LISTED,
        *,
        seed: int | None = None,
        data=None,
        commit: str | None = "abc",
        extra=(),
        beside=(),
        lists_beside=(),
        at: Store | None = None,
        of: SplitRatings | None = None,
        current: bool = True,
    ) -> str:
        of = of or split
        path = metrics_path(at or store)
        if current and path.exists():
            with open_readonly(migrated_metrics(at or store)) as db:
                challenge = dataclasses.replace(challenge, expected=champion_of(db, of))
        other = "llm_champion" if challenge.champion else "bias"
        predictions, lists = (
            [predict("llm", rows), predict(other), *beside],
            [rank("llm", films), rank(other), *lists_beside],
        )
        seed = int(challenge.challenger.fingerprint[:6], 16) if seed is None else seed
        config = Score(ks=(4,), resamples=100, seed=seed)
        scores = score.fn(of, ratings, predictions, lists, config=config, store=store)
        artifacts = [data or ratings, of, *extra, *predictions, *lists]
        contest = Contest(scores, scores, "llm", "llm", "llm") if challenge.champion else None
        return publish.fn(
            scores, artifacts,
            profile="smoke", commit=commit, challenge=challenge, contest=contest, store=at or store,
        )  # fmt: skip

    return build
