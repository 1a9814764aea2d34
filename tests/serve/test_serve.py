"""Everyone's lists: on all that is known, computed again only where something changed."""

import json

import duckdb
import polars as pl
import pytest

from tasks.readout import inference
from tasks.readout.config import Inference
from tasks.serve.config import Serving
from tasks.serve.figures import Figures, find_violations, rank_biased_overlap
from tasks.serve.swap import read_served, serving_folder
from tasks.serve.task import swap_recommendations
from tasks.store.artifacts import Readings
from tasks.store.store import Store
from tests.serve.conftest import ANY, WHOLE


def table(lists):
    return lists.scan("recommendations").collect()


def test_every_user_gets_a_full_list_of_films_that_exist_and_were_not_rated(
    tonight, split, ratings
):
    rows = table(tonight[1])
    assert rows.group_by("user_id").len()["len"].to_list() == [10] * 24
    rated = split.scan("ratings").collect()  # of all folds: nothing is held out
    assert rows.join(rated, on=["user_id", "film_id"], how="semi").is_empty()
    films = ratings.scan("films").select("film_id", "title").collect()
    assert len(rows.join(films, on=["film_id", "title"], how="semi")) == len(rows)
    assert rows.filter(pl.struct("user_id", "title").is_duplicated()).is_empty()
    assert rows.select(pl.col("pi80_low") <= pl.col("expected")).to_series().all()
    assert rows["p_like"].is_between(0, 1).all()
    assert rows.select((pl.col("score").diff() <= 0).over("user_id").all()).item()


def test_candidates_are_read_as_they_were_for_the_mix_that_ranks_them(tonight, store):
    """Requests come with today's settings, and the mix was fitted with the run's."""
    assert Inference().whole_ratings != WHOLE
    read = store.recipe(Readings, tonight[1])["inference"]
    assert read["whole_ratings"] == WHOLE


def test_users_who_have_not_rated_of_late_can_be_left_out(serve, split):
    last = split.scan("ratings").group_by("user_id").agg(pl.col("rated_at").max()).collect()
    newest = last["rated_at"].max()
    _, lists = serve(split, active_days=0)
    active = last.filter(pl.col("rated_at") == newest)["user_id"].to_list()
    assert table(lists)["user_id"].unique().to_list() == active
    assert lists.metadata["users"] == len(active) < 24


def test_users_without_news_are_not_read_again_and_the_bytes_are_those_of_reading_all(
    serve, tonight, grown, ranker, tmp_path, monkeypatch
):
    read, run = [], inference.Reader._run

    def counted(self, packed, *rest):
        read.append(len(packed))
        return run(self, packed, *rest)

    monkeypatch.setattr(inference.Reader, "_run", counted)
    _, after = serve(grown)
    some = sum(read)
    read.clear()
    _, alone = serve(grown, Store(tmp_path))
    assert 0 < some < sum(read)
    assert sum(read) == 24 * (1 + ranker.weighs_likelihood)  # rated, and scored if need be
    name = "recommendations.parquet"
    assert (after.path / name).read_bytes() == (alone.path / name).read_bytes()
    assert after.fingerprint == alone.fingerprint


@pytest.fixture
def swapped(tonight, ratings, adapter, tmp_path):
    """`swap(lists)`: swap them in; and the root of a store of its own."""
    store = Store(tmp_path)

    def swap(requests, lists, config=ANY):
        return swap_recommendations.fn(
            lists, requests, ratings, adapter, config=config, store=store
        )

    return swap, store.root


def test_lists_are_swapped_in_under_one_path_with_champion_and_data(
    swapped, tonight, adapter, ratings
):
    swap, root = swapped
    served = swap(*tonight)
    current = serving_folder(root) / "current"
    rows = pl.read_parquet(current / "recommendations.parquet")
    assert rows.select(table(tonight[1]).columns).equals(table(tonight[1]))
    stamp = rows.select("valid_from", "champion", "data").unique().row(0)
    assert stamp == (served.served_at, adapter.fingerprint, ratings.fingerprint)
    with duckdb.connect(str(root / "artifacts" / "recommendations.duckdb"), read_only=True) as db:
        found = db.sql("select user_id, rank, film_id from recommendations").fetchall()
    assert found == rows.select("user_id", "rank", "film_id").rows()
    assert pl.read_csv(current / "recommendations.csv")["film_id"].equals(
        rows["film_id"].cast(pl.Int64)
    )
    manifest = json.loads((current / "manifest.json").read_text())
    assert set(manifest["files"]) == {p.name for p in current.iterdir()} - {"manifest.json"}


def test_the_next_lists_replace_the_last_ones_and_the_same_do_not(swapped, tonight, serve, grown):
    swap, root = swapped
    first = swap(*tonight)
    assert first.figures.overlap is None
    assert swap(*tonight) == first
    second = swap(*serve(grown))
    assert read_served(root)["lists"] == second.lists != first.lists
    assert 0.5 < second.figures.overlap < 1
    assert 1 <= second.figures.changed <= 24
    folders = [p for p in serving_folder(root).iterdir() if not p.is_symlink()]
    assert len(folders) == 2  # the one before stays for who is about to open it


def test_a_reader_of_the_last_lists_keeps_them(swapped, tonight, serve, grown):
    swap, root = swapped
    swap(*tonight)
    with (serving_folder(root) / "current" / "recommendations.parquet").open("rb") as file:
        swap(*serve(grown))
        assert pl.read_parquet(file).select(table(tonight[1]).columns).equals(table(tonight[1]))


def test_a_guard_rail_leaves_the_last_lists_in_place(swapped, tonight, serve, grown):
    swap, root = swapped
    first = swap(*tonight)
    refused = swap(*serve(grown), config=Serving(max_film_share=0.01))
    assert refused.refused.startswith("one film is in")
    assert read_served(root)["lists"] == first.lists
    longer = swap(*serve(grown), config=ANY.model_copy(update={"min_full_share": 1.0}))
    assert longer.refused is None


FULL = Figures(100, 1.0, 50, 0.5, 0.5, 0.1, 0.2, None, None)


@pytest.mark.parametrize(
    ("figures", "violations"),
    [
        (FULL, []),
        (FULL.__class__(**FULL.to_json() | {"full_share": 0.99}), 1),
        (FULL.__class__(**FULL.to_json() | {"full_share": 0.9, "max_film_share": 0.9}), 2),
    ],
)
def test_each_guard_rail_names_what_it_found(figures, violations):
    found = find_violations(figures, Serving())
    assert len(found) == (violations or 0)
    assert all("%" in one for one in found)


def lists_of(*films):
    rows = [(1, rank, film) for rank, film in enumerate(films, 1)]
    return pl.DataFrame(rows, ["user_id", "rank", "film_id"], orient="row")


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ((1, 2, 3), (1, 2, 3), 1.0),
        ((1, 2, 3), (4, 5, 6), 0.0),
        # agreement 0 at depth 1, 1 at depths 2 and 3, weights 1, 0.9, 0.81
        ((1, 2, 3), (2, 1, 3), (0.9 + 0.81) / 2.71),
        # agreement 1, 1, 2/3
        ((1, 2, 3), (1, 2, 4), (1 + 0.9 + 0.81 * 2 / 3) / 2.71),
    ],
)
def test_rank_biased_overlap_by_hand(one, other, overlap):
    found = rank_biased_overlap(lists_of(*one), lists_of(*other), 3)
    assert found["overlap"].to_list() == pytest.approx([overlap])
