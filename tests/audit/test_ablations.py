"""An ablation's error is compared with the run's on the same ratings."""

import pytest

from tasks.audit.task import score_ablations
from tasks.store.artifacts import RatingPredictions
from tests.world import PREDICTED


@pytest.fixture
def llm(store, predict):
    """`llm(rows, user)`: the language model's predictions, of one user where one is named."""

    def build(rows=PREDICTED, user=None):
        made = predict("llm", [row for row in rows if user in (None, row[0])])

        def write(draft):
            made.scan("ratings").collect().write_parquet(draft / "ratings.parquet")
            return {"predictor": "llm"}

        return store.build(RatingPredictions, recipe={}, parents=[made], write=write)

    return build


def test_an_ablation_is_compared_on_the_users_that_it_has(llm, store):
    worse = llm([(*row[:3], row[3] + 1, *row[4:]) for row in PREDICTED], user=2)
    made = score_ablations.fn(llm(), {"empty": worse}, resamples=100, seed=0, store=store)
    empty, none = made.scan("ablations").sort("ablation").collect().to_dicts()
    # errors of user 2: -0.5 and 0; one star more: 0.5 and 1
    assert none["rmse"] == pytest.approx((0.25 / 2) ** 0.5)
    assert empty["rmse"] == pytest.approx((1.25 / 2) ** 0.5)
    assert empty["difference"] == pytest.approx(empty["rmse"] - none["rmse"])
    assert none["difference"] == none["ci95_low"] == none["ci95_high"] == 0
    assert empty["n"] == none["n"] == 2


def test_an_ablation_of_other_ratings_is_an_error(llm, store):
    short = llm(PREDICTED[:3])
    with pytest.raises(ValueError, match="other ratings than the run"):
        score_ablations.fn(llm(), {"empty": short}, resamples=100, seed=0, store=store)
