"""Two nights: the second adapter is rejected, and its night's lists are by the first one's.

Runs are published by hand, so that nothing is trained.
"""

import datetime as dt

import duckdb
import polars as pl
import pytest

from flows.alerts import Alert
from flows.ranker import call_directly
from flows.recommend import latest_champion_ranking, make_request, recommend_for
from flows.recommend_all import serve_everyone
from flows.settings import Settings
from tasks.metrics_db import atomic_update, open_readonly
from tasks.metrics_location import metrics_location, metrics_path
from tasks.publish.serving import begin_serving
from tasks.readout import inference
from tasks.serve.swap import read_served, serving_folder
from tests.serve.conftest import ANY

NOW = dt.datetime.now(dt.UTC)


def publish(store, number, split, adapter, promoted):
    """A run on this split, with the decision about its adapter."""
    run, at = f"run {number}", NOW - dt.timedelta(hours=24 * (2 - number))
    with atomic_update(*metrics_location(store)) as db:
        columns = "run_id, run_at, profile, dataset, protocol, split_recipe"
        row = [run, at, "smoke", "made", "leave-last-4", "a recipe"]
        db.execute(f"insert into runs ({columns}) values (?, ?, ?, ?, ?, ?)", row)
        begin_serving(db, run, at)
        db.execute(
            "insert into stages values (?, 1, 'split-ratings', ?, false, 0, 0, 0, 0, 0)",
            [run, split.fingerprint],
        )
        row = [run, at, adapter, None, promoted, "by hand"]
        db.execute("insert into champions values (?, ?, ?, ?, ?, ?)", row)


@pytest.fixture(scope="module")
def nights(store, split, grown, ratings, adapter, ranker):
    """The lists of each night; before the second, user 3 has rated another film."""

    def night(number, known, by, *, promoted):
        publish(store, number, known, by, promoted)
        serve_everyone(Settings(serving=ANY), store, known, ratings, call_directly)
        current = serving_folder(store.root) / "current" / "recommendations.parquet"
        return pl.read_parquet(current)

    return (
        night(0, split, adapter.fingerprint, promoted=True),
        night(1, grown, "a rejected one", promoted=False),
    )


def test_a_rejected_nights_lists_are_the_champions_and_name_nothing_rated_in_between(
    nights, store, grown, adapter
):
    first, second = nights
    assert second["champion"].unique().to_list() == [adapter.fingerprint]
    assert second["valid_from"][0] > first["valid_from"][0]
    rated = grown.scan("ratings").collect()
    assert second.join(rated, on=["user_id", "film_id"], how="semi").is_empty()
    named = first.join(rated, on=["user_id", "film_id"], how="semi")
    assert named.select("user_id", "rank").rows() == [(3, 1)]  # what was rated in between
    with open_readonly(metrics_path(store)) as db:
        rows = db.execute(
            "select champion, users, users_change, changed >= 1, refused from served"
        ).fetchall()
    assert rows == [
        (adapter.fingerprint, 24, 0, True, None),
        (adapter.fingerprint, 24, None, None, None),
    ]


def test_the_champions_ranking_is_that_of_its_run_not_the_lists_of_everyone(nights, store, ranker):
    assert latest_champion_ranking(store) == ranker.fitted


@pytest.fixture
def unread(monkeypatch):
    """A model that is read is an error."""

    def read(*_):
        raise AssertionError("read")

    monkeypatch.setattr(inference.Reader, "_run", read)


@pytest.mark.usefixtures("unread")
def test_a_night_without_news_reads_and_swaps_nothing(nights, store, grown, ratings):
    before = read_served(store.root)
    serve_everyone(Settings(serving=ANY), store, grown, ratings, call_directly)
    assert read_served(store.root) == before
    with open_readonly(metrics_path(store)) as db:
        assert db.execute("select count(*) from serves").fetchone() == (2,)


@pytest.mark.usefixtures("unread")
def test_a_user_is_answered_with_tonights_list(nights, store):
    made = recommend_for(make_request(3, None, 10), None, store)
    own = nights[1].filter(user_id=3)
    assert [film.film_id for film in made.films] == own["film_id"].to_list()
    assert [film.p_like for film in made.films] == own["p_like"].to_list()
    assert made.rows()[0]["because of"] == ""


def test_the_list_that_is_computed_for_a_user_is_tonights(nights, store):
    served = recommend_for(make_request(3, None, 10), None, store)
    computed = recommend_for(make_request(3, None, 10, why=True), None, store)
    assert any(film.reasons for film in computed.films)
    assert [film.film_id for film in computed.films] == [film.film_id for film in served.films]
    assert [film.expected for film in computed.films] == [film.expected for film in served.films]


def test_where_nobody_has_a_film_left_the_last_lists_stay_and_an_alert_says_so(
    nights, store, sated, ratings, monkeypatch
):
    sent = []
    monkeypatch.setattr(Alert, "send", lambda alert: sent.append(alert.summary))
    before = read_served(store.root)
    latest = Settings(serving=ANY.model_copy(update={"active_days": 0}))
    assert serve_everyone(latest, store, sated, ratings, call_directly) is None
    assert sent == [
        "tonight's lists are not served: no film is left that a user with a request has not rated"
    ]
    assert read_served(store.root) == before


def test_lists_that_are_refused_or_far_from_the_last_ones_alert(
    nights, store, split, ratings, monkeypatch
):
    sent = []
    monkeypatch.setattr(Alert, "send", lambda alert: sent.append(alert.summary))
    strict = ANY.model_copy(update={"max_film_share": 0.01, "min_overlap": 1.0})
    refused = serve_everyone(Settings(serving=strict), store, split, ratings, call_directly)
    assert refused.refused
    assert [summary.split(" ")[0] for summary in sent] == ["tonight's", "overlap"]
    lists = read_served(store.root)["lists"]
    assert lists != refused.lists
    with duckdb.connect(str(store.root / "artifacts" / "recommendations.duckdb")) as db:
        assert db.sql("select count(*) from recommendations").fetchall() == [(240,)]
