"""Every metric and slice against a case worked by hand, and against independent libraries."""

from math import log, log2, sqrt

import duckdb
import polars as pl
import pytest

from tasks.score.relations import (
    MissingPredictionError,
    create_relations,
    load_targets,
    user_blocks,
)
from tasks.score.statements import read_statements
from tasks.score.task import Score, score
from tests.world import LISTED, PREDICTED, SCALE

SECOND = 1 / log2(3)  # discount of the second rank
DISCOUNT = {rank: 1 / log2(rank + 1) for rank in range(1, 5)}
BY_HAND = {
    # errors of the mean: -0.5, 1, -0.5, 0
    "mean_error": 0.0,
    "mse": 1.5 / 4,
    "rmse": sqrt(1.5 / 4),
    # errors of the median: 0, 1, -1, 2
    "mae": 1.0,
    "within_one": 3 / 4,
    "within_half": 2 / 4,
    "exact": 2 / 4,
    "coverage_80": 3 / 4,
    "log_loss": -(log(0.625) + log(0.25) + log(0.6875) + log(1e-7)) / 4,
    # sure by 0.625 and 0.6875 (one bin, both right), 0.375 and 0.5 (both wrong)
    "ece": (abs(0.625 - 1 + 0.6875 - 1) + 0.375 + 0.5) / 4,
    # squares at the thresholds 1.5 to 4.5, times four
    "rps": (0.21875 + 0.328125 + 0.1328125 + 0.8125) / 16,
    # 0.375 + 0.625 u, 0.25 + 0.25 u, 0.3125 + 0.6875 u and 0.5, u being 0.43, 0.79, 0.82 and 0.69,
    # are in four of the ten bins: 0.25 of all in each of these
    "pit_deviation": 4 * (0.25 - 0.1) + 6 * 0.1,
    # values of 4.5, 3.5, 4 and 3, and modes of 4, 3, 5 and 1
    "within_half_rounded": 2 / 4,
    # liked are those with p_like 0.625 and 0.8125, the others have 0.125 and 0.5
    "auc": 1.0,
    "uauc": 1.0,
    # user 2 has fewer known ratings, with errors of 1 and 2; user 1 has errors of 0 and 1
    "error_gap": 1.0,
    # of the lists: hits of the first at ranks 2 and 3 of 4, of the second at rank 1
    "hit (rated)": 1.0,
    "precision (rated)": (2 / 4 + 1 / 4) / 2,
    "recall (rated)": (2 / 2 + 1 / 2) / 2,
    "mrr (rated)": (1 / 2 + 1) / 2,
    "map (rated)": ((1 / 2 + 2 / 3) / 2 + 1 / 2) / 2,
    "ndcg (rated)": ((SECOND + 1 / 2) / (1 + SECOND) + 1 / (1 + SECOND)) / 2,
    # each liked film 1, of 4 and 5 stars: the first list names it at rank 2
    "hit (liked)": 1 / 2,
    "precision (liked)": (1 / 4 + 0) / 2,
    "recall (liked)": (1 + 0) / 2,
    "mrr (liked)": (1 / 2 + 0) / 2,
    "map (liked)": (1 / 2 + 0) / 2,
    "ndcg (liked)": (SECOND + 0) / 2,
    # the hits got 4, 2 and 3 stars
    "hit_rating": 3.0,
    "disliked": 1 / 3,
    # 3.25 stars are expected of every film, means are 3.33 and 3
    "above_own_mean": 1 / 2,
    "existing": (1 + 3 / 4) / 2,
    "unseen": (1 + 2 / 4) / 2,
    "unique": (1 + 2 / 4) / 2,
    "complete": (1 + 0) / 2,
    "popular": (0 + 1 / 4) / 2,
    # nobody, counted as one of two, had rated any but film 10, which both had
    "novelty": (1 + (1 + 1 + 0) / 3) / 2,
    # films 4, 1, 2 and 6 had no ratings; of 3, 3 and 10 only the last had, two
    "popularity_lift": (0 - 1 + (2 / 3) / 1.5 - 1) / 2,
    "exposure_gini": (-DISCOUNT[4] + DISCOUNT[4] + 3 * 0.5 + 5 * SECOND + 7 * 1 + 9 * 1.5)
    / (10 * (2 * DISCOUNT[4] + 0.5 + SECOND + 1 + 1.5)),
    "diversity": ((1 + 1 + 1 + 0.5 + 0 + 0.5) / 6 + (0 + 0.5 + 0.5) / 3) / 2,
    "catalogue_coverage": 6 / 10,
}
TARGETS = [(1, 1), (1, 2), (2, 1), (2, 3)]
PARTS_BY_HAND = {
    "true_rating": ["4.0", "2.0", "5.0", "3.0"],
    # of films 1 to 10: three had been rated, the last one twice
    "cold": [*["cold"] * 4, "known", *["cold"] * 2, *["known"] * 3],
    "decade": ["1990s", "1990s", "unknown", *["2000s"] * 7],
    "popularity": ["01", "02", "03", "04", "07", "05", "06", "08", "09", "10"],
    "genre": [
        "Drama",
        "Drama",
        "War",
        "Comedy",
        "Comedy",
        "none",
        "Drama",
        "War",
        "War",
        "War",
        "Comedy",
        "Drama",
    ],
    "since_last": ["1: under an hour", "2: under a day", "3: under 30 days", "4: 30 days and more"],
    # of users 1 (4, 4, 2 stars: 0.943) and 2 (3, 3 stars: 0)
    "everyone": ["all", "all"],
    "history_length": ["1: under 20", "1: under 20"],
    "spread": ["2: 0.75 to 0.99", "1: under 0.75"],
}
SETTINGS = Score(ks=(4,), compared=("hand",), resamples=200)


@pytest.fixture
def evaluate(store, split, ratings):
    """`evaluate(predictions, lists)`: their scores."""

    def build(predictions, lists):
        return score.fn(split, ratings, predictions, lists, config=SETTINGS, store=store)

    return build


def test_equal_scores_count_half_in_auc_and_uauc(evaluate, predict, rank):
    """Liked are the first and the third; there is no distribution, so that the means decide."""
    means = [3.0, 3.0, 2.0, 4.0]
    rows = [
        (*row[:3], mean, *row[4:7], None, None, None)
        for row, mean in zip(PREDICTED, means, strict=True)
    ]
    found = everyone(evaluate([predict("plain", rows)], [rank()]), "plain")
    assert found["auc"] == pytest.approx((0.5 + 0 + 0 + 0) / 4)
    assert found["uauc"] == pytest.approx((0.5 + 0) / 2)


def everyone(scores, predictor="hand"):
    table = scores.scan("metrics").filter(slice="everyone", predictor=predictor).collect()
    name = pl.concat_str("metric", pl.format(" ({})", "relevance"), ignore_nulls=True)
    return dict(table.select(name, "value").iter_rows())


def test_every_metric_gives_what_was_worked_by_hand(evaluate, predict, rank):
    found = everyone(evaluate([predict()], [rank()]))
    names = {file.stem for file, _ in read_statements("metrics/*")}
    assert {name.split(" ")[0] for name in BY_HAND} == names
    assert found == pytest.approx(BY_HAND, abs=1e-6)


def test_every_slice_parts_as_was_worked_by_hand(split, ratings, predict):
    with duckdb.connect() as db:
        create_relations(db, split, ratings, [predict()])
        load_targets(db, user_blocks(db)[0])
        found = {
            file.stem: [row[-1] for row in db.execute(text).fetchall()]
            for file, text in read_statements("slices/*")
        }
    assert found == PARTS_BY_HAND


def test_every_statement_says_first_what_it_defines():
    for file, text in read_statements("metrics/*", "slices/*"):
        assert text.startswith(f"-- {file.stem}: ")
        assert len(duckdb.extract_statements(text)) == 1


def test_parts_of_a_slice_add_up_to_everyone(evaluate, predict, rank):
    table = evaluate([predict()], [rank()]).scan("metrics").collect()
    mse = table.filter(pl.col("metric") == "mse", pl.col("slice") != "genre")
    whole = mse.group_by("slice").agg((pl.col("value") * pl.col("n")).sum() / pl.col("n").sum())
    assert whole["value"].to_list() == pytest.approx([1.5 / 4] * len(whole))
    assert len(whole) == len(PARTS_BY_HAND) - 1


def test_metrics_agree_with_scikit_learn_and_lenskit(evaluate, predict, rank):
    from lenskit.data import ItemList
    from lenskit.metrics import Hit, Precision, Recall, RecipRank
    from sklearn.metrics import (
        log_loss,
        mean_absolute_error,
        ndcg_score,
        root_mean_squared_error,
    )

    found = everyone(evaluate([predict()], [rank()]))
    true = [row[2] for row in PREDICTED]
    assert found["rmse"] == pytest.approx(root_mean_squared_error(true, [r[3] for r in PREDICTED]))
    assert found["mae"] == pytest.approx(mean_absolute_error(true, [r[4] for r in PREDICTED]))
    clipped = [[max(p, 1e-7) for p in row[-1]] for row in PREDICTED]
    clipped = [[p / sum(row) for p in row] for row in clipped]
    assert found["log_loss"] == pytest.approx(log_loss(true, clipped, labels=SCALE), abs=1e-6)
    relevant = {u: [f for user, f in TARGETS if user == u] for u in LISTED}
    # LensKit has no word for what is no film, or named twice: such places hold films of no use.
    lists = {1: LISTED[1], 2: [3, 98, 99, 10]}
    for metric in (Hit(4), Precision(4), Recall(4), RecipRank(4)):
        values = [
            metric.measure_list(ItemList(lists[u], ordered=True), ItemList(relevant[u]))
            for u in lists
        ]
        name = type(metric).__name__.lower().replace("reciprank", "mrr")
        assert found[f"{name} (rated)"] == pytest.approx(sum(values) / 2), name
    films = [sorted({*lists[u], *relevant[u]}) for u in lists]
    gains = [[float(f in relevant[u]) for f in films[i]] for i, u in enumerate(lists)]
    places = [
        [-lists[u].index(f) if f in lists[u] else -99 for f in films[i]]
        for i, u in enumerate(lists)
    ]
    ndcg = [ndcg_score([g], [p], k=4) for g, p in zip(gains, places, strict=True)]
    assert found["ndcg (rated)"] == pytest.approx(sum(ndcg) / 2, abs=1e-6)


def test_a_prediction_left_out_is_an_error(evaluate, predict, rank):
    with pytest.raises(MissingPredictionError, match=r"predictor short .* 4 targets"):
        evaluate([predict(), predict("short", PREDICTED[:3])], [rank()])


def test_a_true_rating_that_is_not_the_histories_is_an_error(evaluate, predict, rank):
    wrong = [(*row[:2], 1, *row[3:]) for row in PREDICTED]
    with pytest.raises(MissingPredictionError, match="predictor wrong"):
        evaluate([predict("wrong", wrong)], [rank()])


def test_a_distribution_left_out_is_an_error(evaluate, predict, rank):
    with pytest.raises(MissingPredictionError, match=r"has .* for 3 of 4 ratings"):
        evaluate([predict("short", [*PREDICTED[:3], (*PREDICTED[3][:-1], None)])], [rank()])


def test_a_user_without_a_list_is_an_error(evaluate, predict, rank):
    with pytest.raises(MissingPredictionError, match="lists are missing: short for 1 users"):
        evaluate([predict()], [rank(), rank("short", {1: [4, 1, 2, 6]})])


def test_a_predictor_without_distributions_has_no_metrics_of_them(evaluate, predict, rank):
    plain = [(*row[:7], None, None, None) for row in PREDICTED]
    found = everyone(evaluate([predict("plain", plain)], [rank()]), "plain")
    assert set(found) == {
        "mae", "mse", "rmse", "within_half", "within_one", "exact", "mean_error",
        "within_half_rounded", "auc", "uauc", "error_gap",
    }  # fmt: skip
