"""Two nights in a row: the second adapter is rejected, and its night's lists are the first one's.

Between them users rate films that the first night's lists name.
"""

import os

import polars as pl
import pytest
from prefect.testing.utilities import prefect_test_harness

from bench.movielens_like import write_data_set
from flows.nightly import nightly
from flows.recommend import make_request, recommend_for
from flows.recommend_all import recommend_all
from tasks.metrics_db import open_readonly
from tasks.metrics_location import metrics_path
from tasks.serve.swap import read_served, serving_folder
from tasks.store.store import Store
from tests.runs import FEW

pytestmark = pytest.mark.slow  # two runs, a minute each
RATED = 5  # users who rate their first film in between


def lists(root):
    return pl.read_parquet(serving_folder(root) / "current" / "recommendations.parquet")


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """The store, the lists of each night, and the ratings in between."""
    data, root = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("store")
    write_data_set(data, rows=3_000)
    overrides = FEW | {"ingest": {"data": str(data)}, "serving": {"active_days": None}}
    with prefect_test_harness(server_startup_timeout=180), pytest.MonkeyPatch.context() as patched:
        patched.setenv("CONTENT_ADVISOR_STORE", str(root))
        nightly("smoke", overrides=overrides)
        first = lists(root)
        rated = first.filter(rank=1).sort("user_id").head(RATED).select("user_id", "film_id")
        (incoming := root / "data" / "incoming").mkdir()
        newest = pl.read_csv(data / "ratings.csv")["timestamp"].max()
        rows = rated.rename({"user_id": "userId", "film_id": "movieId"})
        rows = rows.with_columns(rating=pl.lit(4.0), timestamp=pl.lit(newest + 60))
        rows.write_csv(file := incoming / "ratings.csv")
        os.utime(file, (0, 0))  # as long finished
        nightly("smoke", overrides=overrides | {"promotion": {"coverage": 0.0}})
        yield Store(root), overrides, first, lists(root), rated


def test_the_second_nights_lists_are_by_the_first_nights_champion_on_tonights_ratings(nights):
    store, _, first, second, rated = nights
    with open_readonly(metrics_path(store)) as db:
        decided = db.execute("select adapter, promoted from champions order by decided_at")
        (champion, yes), (_, no) = decided.fetchall()
        served = db.execute("select champion, changed, refused from served").fetchall()
    assert (yes, no) == (True, False)
    assert second["champion"].unique().to_list() == [champion]
    assert [(by, refused) for by, _, refused in served] == [(champion, None)] * 2
    assert served[0][1] >= RATED
    assert second["data"].unique().to_list() != first["data"].unique().to_list()
    assert second["valid_from"][0] > first["valid_from"][0]
    key = ["user_id", "film_id"]
    assert len(first.join(rated, on=key, how="semi")) == RATED
    assert second.join(rated, on=key, how="semi").is_empty()
    assert set(second["user_id"]) == set(first["user_id"])


def test_lists_without_news_stay_as_they_are(nights):
    store, overrides, *_ = nights
    before = read_served(store.root)
    recommend_all("smoke", overrides=overrides)
    assert read_served(store.root) == before


def test_one_user_is_recommended_tonights_list(nights):
    store, _, _, second, rated = nights
    user = rated["user_id"][0]
    made = recommend_for(make_request(user, None, 10), None, store)
    own = second.filter(user_id=user).sort("rank")
    assert [film.film_id for film in made.films] == own["film_id"].to_list()
    assert [film.expected for film in made.films] == own["expected"].to_list()
