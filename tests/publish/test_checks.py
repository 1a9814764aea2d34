"""The checks hold what is served to the champion and to the best so far, corrected together."""

import datetime as dt

import duckdb
import pytest

from tasks.metrics_db import atomic_update
from tasks.publish.config import PromotionMargins
from tasks.publish.contest import Contest
from tasks.publish.opponent import best_champion
from tasks.publish.promotion import check_scores
from tasks.publish.serving import hash_recipe
from tasks.store.artifacts import Scores
from tests.world import typed

LISTS = {"metric": "ndcg", "k": 10, "relevance": "liked", "predictor": "ranked"}
SLICES = ("decade", "genre", "popularity", "history_length", "spread")


@pytest.fixture
def failed(store):
    """`failed(rows)`: the checks that fail by these comparisons; those over everyone are equal."""

    def run(*rows, opponents=("champion",)):
        base = {"predictor": "blend", "metric": "rmse", "slice": "everyone", "slice_value": "all"}
        base |= {"difference": 0.0, "ci95_low": 0.0, "ci95_high": 0.0, "p_adjusted": 1.0, "n": 9}
        served = [
            base | kind | {"against": f"{(base | kind)['predictor']}_{who}"}
            for who in opponents
            for kind in ({}, LISTS)
        ]
        key = ("predictor", "against", "slice", "slice_value")
        given = {tuple((base | row)[name] for name in key): base | row for row in rows}
        every = {tuple(row[name] for name in key): row for row in served} | given

        def write(draft):
            columns = {name: [row.get(name) for row in every.values()] for name in
                       Scores.tables["comparisons"].columns}  # fmt: skip
            typed(Scores, "comparisons", columns).write_parquet(draft / "comparisons.parquet")
            typed(Scores, "metrics", {}).write_parquet(draft / "metrics.parquet")

        scores = store.build(Scores, recipe={"rows": repr(every)}, write=write)
        contest = Contest(scores, scores, "blend", "ranked", "llm")
        with duckdb.connect() as db:
            checks = check_scores(db, contest, PromotionMargins())
        return [(check.check_name, check.slice_value) for check in checks if not check.passed]

    return run


def loss(slice_name, p, low=0.05, value="a", **row):
    return {
        "against": "blend_champion", "slice": slice_name, "slice_value": value,
        "ci95_low": low, "ci95_high": 0.2, "p_adjusted": p,
    } | row  # fmt: skip


def test_equal_lists_and_ratings_pass(failed):
    assert failed() == []


def test_one_of_many_slices_by_chance_rejects_nobody(failed):
    """Its interval excludes the margin; so does one of forty slices where nothing is lost."""
    others = [loss(name, 0.9, low=-0.1) for name in SLICES[1:]]
    assert failed(loss(SLICES[0], 0.011), *others) == []
    assert failed(loss(SLICES[0], 0.009), *others) == [("rmse by decade", "a")]


def test_a_second_slice_is_held_against_those_that_are_left(failed):
    rows = [loss(SLICES[0], 0.001), loss(SLICES[1], 0.012), loss(SLICES[2], 0.02)]
    rows += [loss(name, 0.9, low=-0.1) for name in SLICES[3:]]
    assert failed(*rows) == [("rmse by decade", "a"), ("rmse by genre", "a")]


def test_a_small_p_behind_one_that_failed_does_not_count(failed):
    """0.04 alone is significant, but the four before it are not."""
    assert failed(*(loss(name, 0.04) for name in SLICES)) == []


def test_a_loss_of_the_served_lists_or_ratings_rejects(failed):
    lists = LISTS | {"against": "ranked_champion", "ci95_low": -0.02}
    assert failed(lists) == [("ndcg", "everyone")]
    assert failed({"against": "blend_champion", "ci95_high": 0.02}) == [("rmse", "everyone")]


def test_small_losses_against_the_last_are_added_up_against_the_best(failed):
    worse = LISTS | {"against": "ranked_best", "ci95_low": -0.02}
    assert failed(worse, opponents=("champion", "best")) == [("ndcg of the best", "everyone")]


def test_scores_without_the_champion_decide_nothing(failed):
    with pytest.raises(ValueError, match="do not compare blend and ranked with the champion"):
        failed(opponents=())


def test_the_best_so_far_is_that_of_the_largest_sum_of_gains(store, split, tmp_path):
    """Each loses 0.009 to the one before, which the margin of 0.01 lets pass."""
    recipe, at = hash_recipe(split.manifest["recipe"]), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    of_split = [split.metadata["dataset"], split.metadata["protocol"]]

    def decide(name, gain, reason="by the checks"):
        nonlocal at
        at += dt.timedelta(days=1)
        run = f"{name} {at:%d}"
        row = [run, at, name, reason]
        db.execute("insert into champions values (?, ?, ?, null, true, ?)", row)
        row = [run, at, *of_split, recipe]
        db.execute("insert into runs values (?, ?, 'laptop', ?, ?, null, null, ?)", row)
        db.execute(
            "insert into overall_comparisons by name select ? as run_id, 'ranked' as predictor, "
            "'ranked_champion' as against, 'ndcg' as metric, 10 as k, 'liked' as relevance, "
            "? as difference, 0 as ci95_low, "
            "0 as ci95_high, 9 as n",
            [run, gain],
        )
        return best_champion(db, split, "ranked")

    with atomic_update(tmp_path / "metrics.duckdb") as db:
        assert decide("a", 0.0) == "a"
        assert [decide("b", 0.02), decide("c", -0.009), decide("d", -0.009)] == ["b"] * 3
        assert decide("e", 0.03) == "e"
        assert [decide("d", -0.02, "put back by hand"), decide("f", -0.001)] == ["d", "d"]
