"""The hand-made world of two users, and a run of it to publish."""

from collections.abc import Callable

import pytest

from tasks.publish.opponent import Challenge
from tasks.publish.task import publish
from tasks.score.task import Score, score
from tasks.store.store import Store
from tests.world import LISTED, PREDICTED, challenge, predict, rank, ratings, split  # noqa: F401


@pytest.fixture
def publish_run(store, split, ratings, predict, rank) -> Callable[..., str]:  # noqa: F811
    """`publish_run(challenge, rows, films)`: publish these predictions of llm; return the id.

    `seed` of the intervals makes it another run, `data` are the ratings that it was made from.
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
        at: Store | None = None,
    ) -> str:
        other = "champion" if challenge.champion else "bias"
        predictions, lists = (
            [predict("llm", rows), predict(other)],
            [rank("llm", films), rank(other)],
        )
        seed = int(challenge.challenger.fingerprint[:6], 16) if seed is None else seed
        config = Score(ks=(4,), resamples=100, seed=seed)
        scores = score.fn(split, ratings, predictions, lists, config=config, store=store)
        artifacts = [data or ratings, split, *extra, *predictions, *lists]
        return publish.fn(
            scores, artifacts,
            profile="smoke", commit=commit, challenge=challenge, store=at or store,
        )  # fmt: skip

    return build
