"""SASRec learns order, sees no later film, and what it lists does not depend on the machine."""

import numpy as np
import polars as pl
import pytest
import torch

from tasks.baseline.config import Baseline, SASRec, Tuning
from tasks.baseline.interactions import Interactions
from tasks.baseline.sasrec import SASRecModel
from tasks.baseline.sequential import SequentialLists, draw_windows
from tasks.baseline.task import rank_baselines
from tasks.store.artifacts import SplitRatings

TINY = SASRec(window=8, hidden=16, layers=1, epochs=4, users_per_step=16, dropout=0.0)


def cycles(users: int, films: int) -> Interactions:
    """Each user has rated six films of a circle in its order, from a film of their own."""
    film = (np.arange(users)[:, None] + np.arange(6)) % films
    user = np.repeat(np.arange(users), 6)
    return Interactions(user, film.ravel(), np.ones(6 * users), users, films)


def test_the_film_that_always_follows_is_listed_first():
    training = cycles(120, 12)
    longer = TINY.model_copy(update={"epochs": 25, "learning_rate": 0.01})
    _, rank, film, score = SequentialLists(longer)(training, np.arange(120), 3)
    first = film[rank == 1]
    assert (first == (np.arange(120) + 6) % 12).mean() > 0.95
    assert (np.diff(score.reshape(120, 3)) <= 0).all()


def test_a_list_names_what_is_left_and_a_user_without_ratings_has_none():
    training = Interactions(
        np.array([0, 0, 0, 2, 2]), np.array([0, 1, 2, 0, 1]), np.ones(5), users=3, films=4
    )
    model = SequentialLists(TINY)
    user, rank, film, _ = model(training, np.array([0, 1, 2]), 3)
    assert user.tolist() == [0, 2, 2]
    assert rank.tolist() == [1, 1, 2]
    assert film[0] == 3
    assert sorted(film[1:]) == [2, 3]
    assert not len(model(training, np.array([1]), 3)[0])


def test_no_state_changes_with_a_later_film_or_padding():
    torch.manual_seed(0)
    model = SASRecModel(20, TINY).eval()
    shown = torch.tensor([[3, 1, 4, 1, 5]])
    states = model(shown)
    for later in ([9, 2], [-1, -1]):
        other = model(torch.tensor([[3, 1, 4, *later]]))
        assert torch.allclose(other[:, :3], states[:, :3], atol=1e-6)
    assert not torch.allclose(other[:, 3:], states[:, 3:])


def test_windows_are_consecutive_films_of_one_user_and_reach_the_last():
    lengths = [1, 2, 5, 30]
    user = np.repeat(np.arange(4), lengths)
    film = np.arange(sum(lengths))  # each is rated once
    training = Interactions(user, film, np.ones(len(film)), users=4, films=len(film))
    rng, ends = np.random.default_rng(0), set()
    for _ in range(100):
        windows = draw_windows(training, 4, rng)
        assert windows.shape == (3, 5)
        for row in windows:
            known = row[row >= 0]
            assert (row[: len(known)] == known).all()
            assert len(known) > 1
            assert (np.diff(known) == 1).all()
            assert len(set(user[known])) == 1
            ends.add(known[-1])
    assert {2, 7, 37} <= ends


@pytest.mark.parametrize("threads", [1, 2])
def test_lists_do_not_depend_on_the_number_of_cores_or_on_earlier_draws(threads):
    training, before = cycles(30, 12), torch.get_num_threads()
    expected = SequentialLists(TINY)(training, np.arange(30), 3)
    try:
        torch.set_num_threads(threads)
        torch.rand(threads)
        again = SequentialLists(TINY)(training, np.arange(30), 3)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert all(np.array_equal(*pair) for pair in zip(again, expected, strict=True))


def test_learning_stops_where_lists_get_no_better():
    training, losses = cycles(30, 12), iter([3.0, 1.0, 2.0, 2.0, 2.0, 0.0])
    model = SequentialLists(TINY.model_copy(update={"epochs": 6, "patience": 2}))
    found = model.stop_early(training, np.arange(30), 3, lambda _: next(losses))
    assert found == [3.0, 1.0, 2.0, 2.0]


def test_no_test_rating_moves_it(shared_store, hundred_k, store):
    """Neither its value nor its film: the targets of the test fold name another film here."""
    ratings, split = hundred_k
    config = Baseline(
        rating_models=("bias",),
        list_models=("sasrec",),
        tuning=Tuning(models=("sasrec",)),
        sasrec=SASRec(window=20, hidden=16, layers=1, epochs=2),
    )

    def write(draft):
        is_test = (pl.col("fold") == "test") & (pl.col("role") == "target")
        table = split.scan("ratings").collect()
        film = table.filter(is_test)["film_id"]
        moved = table.filter(is_test).with_columns(
            film_id=film.reverse(), rating=5.5 - pl.col("rating")
        )
        pl.concat([table.filter(~is_test), moved.select(table.columns).cast(table.schema)]).sort(
            "user_id", "position"
        ).write_parquet(draft / "ratings.parquet")
        return split.metadata

    other = store.build(SplitRatings, recipe={"moved": True}, write=write)
    before = rank_baselines.fn(split, ratings, config=config, store=shared_store)
    after = rank_baselines.fn(other, ratings, config=config, store=store)
    assert before.metadata["tuned"] == after.metadata["tuned"]
    assert before.scan("lists").collect().equals(after.scan("lists").collect())
    trials = before.metadata["tuned"]["sasrec"]["trials"]
    assert [trial["settings"]["sasrec.epochs"] for trial in trials] == [1, 2]
