"""A probe's error is compared with the night's on the same ratings."""

import polars as pl
import pytest

from tasks.score.config import Score
from tasks.score.task import score_probes
from tasks.store.artifacts import Predictions


@pytest.fixture
def noted(store, histories, say):
    """Predictions of `say` with the name of their predictor in the notes, as a model's have."""

    def build(said=None, only=None):
        made = say("llm", said) if said else say("llm")

        def write(draft):
            table = made.scan("ratings")
            table = table.filter(pl.col("user_id") == only) if only else table
            table.collect().write_parquet(draft / "ratings.parquet")
            made.scan("lists").collect().write_parquet(draft / "lists.parquet")
            return {"predictor": "llm"}

        return store.build(Predictions, recipe={"only": only}, parents=[made], write=write)

    return build


def test_a_probe_is_held_against_the_same_users_of_the_night(noted, world, store):
    worse = noted([(*row[:3], row[3] + 1, *row[4:]) for row in world.SAID], only=2)
    made = score_probes.fn(noted(), {"empty": worse}, config=Score(resamples=100), store=store)
    empty, none = made.scan("probes").sort("probe").collect().to_dicts()
    # errors of user 2: -0.5 and 0; one star more: 0.5 and 1
    assert none["rmse"] == pytest.approx((0.25 / 2) ** 0.5)
    assert empty["rmse"] == pytest.approx((1.25 / 2) ** 0.5)
    assert empty["difference"] == pytest.approx(empty["rmse"] - none["rmse"])
    assert none["difference"] == none["low"] == none["high"] == 0
    assert empty["n"] == none["n"] == 2


def test_a_probe_of_other_ratings_is_an_error(noted, world, store):
    short = noted(world.SAID[:3])
    with pytest.raises(ValueError, match="other ratings than the night"):
        score_probes.fn(noted(), {"empty": short}, config=Score(resamples=100), store=store)
