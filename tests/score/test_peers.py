"""Metrics and intervals equal those of other libraries, on random ratings and lists."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import mean_absolute_error, roc_auc_score

from tasks.store.store import Store
from tests.score.random_world import FILMS, LISTED, SCALE, make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The random world."""
    return make_world(Store(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def figures(world, tmp_path_factory):
    """Metrics and comparisons over it."""
    draft = tmp_path_factory.mktemp("draft")
    return world.measure(draft, Store(tmp_path_factory.mktemp("none")))


@pytest.fixture(scope="module")
def llm(figures):
    """Rows of metrics of llm over everyone, by metric."""
    rows = figures[0].filter(slice="everyone", predictor="llm").to_dicts()
    return {row["metric"]: row for row in rows}


def by_user(targets):
    return [rows for _, rows in targets.group_by("user_id", maintain_order=True)]


def auc(rows):
    # In millionths, as scores are compared.
    return roc_auc_score(rows["rating"] >= 4, rows["p_like"].to_numpy().round(6))


def test_auc_is_scikit_learns(world, llm):
    assert llm["auc"]["value"] == pytest.approx(auc(world.targets), abs=2e-6)


def test_uauc_is_the_mean_of_scikit_learns_over_users_with_both_classes(world, llm):
    users = [rows for rows in by_user(world.targets) if 0 < (rows["rating"] >= 4).sum() < len(rows)]
    assert 0 < len(users) < len(by_user(world.targets))
    assert llm["uauc"]["value"] == pytest.approx(np.mean([auc(rows) for rows in users]), abs=2e-6)


def test_the_interval_of_auc_is_that_of_computing_it_anew_in_each_resample(world, llm):
    users = by_user(world.targets)
    draw = np.random.default_rng(0)
    resampled = [
        auc(pl.concat([users[i] for i in draw.integers(len(users), size=len(users))]))
        for _ in range(1000)
    ]
    low, high = np.percentile(resampled, [2.5, 97.5])
    width = high - low
    assert llm["auc"]["ci95_low"] == pytest.approx(low, abs=0.1 * width)
    assert llm["auc"]["ci95_high"] == pytest.approx(high, abs=0.1 * width)


@pytest.mark.parametrize("stars", [(4, 5), (1, 3)])
def test_there_is_no_auc_where_all_films_were_liked_or_none(tmp_path, stars):
    world = make_world(Store(tmp_path), resamples=100, stars=stars)
    metrics, comparisons = world.measure(tmp_path, Store(tmp_path / "none"))
    assert set(world.targets["rating"]) <= set(range(stars[0], stars[1] + 1))
    for table in (metrics, comparisons):
        assert "rps" in table["metric"]
        assert not {"auc", "uauc"} & set(table["metric"])


def test_ranked_probability_score_is_its_definition(world, llm):
    p = np.array(world.targets["probabilities"].to_list(), np.float64)
    at_most = world.targets["rating"].to_numpy()[:, None] <= np.array(SCALE)
    scores = ((p.cumsum(axis=1) - at_most)[:, :-1] ** 2).mean(axis=1)
    assert llm["rps"]["value"] == pytest.approx(scores.mean(), abs=1e-6)


def test_error_gap_is_that_of_the_thirds_of_the_users_by_known_ratings(world, llm):
    rows = world.inputs.split.scan("ratings").filter(fold="train").collect()
    known = rows.group_by("user_id").len().sort("len", "user_id")
    ranks = (known["len"].rank("min") - 1).to_numpy() / (len(known) - 1)

    def error(chosen):
        users = known.filter(pl.Series(chosen))["user_id"].cast(pl.Int32)
        theirs = world.targets.filter(pl.col("user_id").is_in(users.implode()))
        return mean_absolute_error(theirs["rating"], theirs["median"])

    gap = error(ranks <= 1 / 3) - error(ranks >= 2 / 3)
    assert llm["error_gap"]["value"] == pytest.approx(gap, abs=1e-6)
    assert llm["error_gap"]["ci95_low"] < gap < llm["error_gap"]["ci95_high"]


def test_a_flat_histogram_has_no_deviation_but_for_chance(store, tmp_path):
    """Ratings drawn from the predicted distributions are calibrated; others are not."""
    world = make_world(store)
    draw = np.random.default_rng(0)
    deviation = {}
    for name, sharpen in {"calibrated": 1.0, "too sure": 4.0}.items():
        p = np.array(world.targets["probabilities"].to_list())
        p = p / p.sum(axis=1, keepdims=True)
        rating = (p.cumsum(axis=1) < draw.random((len(p), 1))).sum(axis=1).clip(max=4) + 1.0
        p = p**sharpen / (p**sharpen).sum(axis=1, keepdims=True)
        deviation[name] = pit_deviation(p, rating, world.targets)
    chance = 2.4 / np.sqrt(len(world.targets))
    assert deviation["calibrated"] < 2 * chance
    assert deviation["too sure"] > 4 * chance


def pit_deviation(p, rating, targets):
    """The statement of the metric, over these distributions and ratings."""
    import duckdb

    from tasks.score.derived_columns import add_derived_columns
    from tasks.score.statements import SQL

    table = targets.select("user_id", "film_id").with_columns(
        rating=pl.Series(rating, dtype=pl.Float32),
        probabilities=pl.Series(p.tolist(), dtype=pl.List(pl.Float32)),
    )
    with duckdb.connect() as db:
        db.execute("create table ratings_scale as select ?::float[] as scale", [SCALE])
        predicted = add_derived_columns(table.to_arrow(compat_level=pl.CompatLevel.oldest()))
        db.register("predicted_ratings", predicted)
        bins = db.sql((SQL / "metrics/ratings/pit_deviation.sql").read_text()).pl()["bin"]
    return np.abs(np.bincount(bins.cast(pl.Int64), minlength=10) / len(p) - 0.1).sum()


def test_exposure_gini_is_lenskits(world, llm):
    from lenskit.data import ItemList
    from lenskit.metrics import ExposureGini, LogRankWeight

    gini = ExposureGini(LISTED, items=FILMS, weight=LogRankWeight(offset=1))
    lists = world.lists.filter(predictor="llm")
    data = [
        gini.compute_list_data(ItemList(rows["film_id"].to_list(), ordered=True), ItemList([]))
        for _, rows in lists.group_by("user_id", maintain_order=True)
    ]
    assert llm["exposure_gini"]["value"] == pytest.approx(gini.global_aggregate(data), abs=1e-5)
