"""A challenger takes the champion's place only where it loses nothing that matters."""

import dataclasses
import datetime as dt

import duckdb
import pytest

from tasks.metrics_db import find_champion, open_readonly, opponent_of
from tasks.publish.config import Margins
from tasks.publish.promotion import drift
from tasks.publish.task import metric_file, publish, roll_back
from tasks.score.task import Score, score
from tasks.store.artifacts import ValidatedRatings
from tests.world import LISTED, PREDICTED, START, typed

USUAL = [[3.0, 4.0] * 5] * 30  # stars by day
WORSE = [(*row[:3], row[3] + 1, *row[4:]) for row in PREDICTED]


@pytest.fixture
def compete(store, split, ratings, predict, rank):
    """`compete(contest, rows, films)`: publish a run with these predictions; return its id."""

    def run(contest, rows=PREDICTED, films=LISTED, data=ratings):
        predictions, lists = [predict("llm", rows)], [rank("llm", films)]
        if contest.champion:
            predictions, lists = [*predictions, predict("champion")], [*lists, rank("champion")]
        # Runs differ by their adapters; here by the seed of their scores.
        config = Score(ks=(4,), resamples=100, seed=int(contest.challenger.fingerprint[:6], 16))
        scores = score.fn(split, ratings, predictions, lists, config=config, store=store)
        made = [data, split, *predictions, *lists]
        return publish.fn(scores, made, profile="smoke", commit=None, contest=contest, store=store)

    return run


def decided(store, run_id):
    with open_readonly(metric_file(store)) as db:
        rows = db.execute(
            "select promoted, previous_champion, reason from champions where run_id = ?", [run_id]
        ).fetchall()
        failed = db.execute(
            "select check_name, slice_value from checks "
            "where run_id = ? and not passed order by all",
            [run_id],
        ).fetchall()
    return *rows[0], failed


def test_the_first_becomes_champion(store, compete, contest):
    first = contest("first")
    run_id = compete(first)
    assert decided(store, run_id)[:2] == (True, None)
    assert find_champion(metric_file(store)) == first.challenger.fingerprint


def test_one_that_loses_nothing_takes_the_champions_place(store, compete, contest):
    compete(contest("first"))
    second = contest("second", "first")
    promoted, against, reason, failed = decided(store, compete(second))
    assert promoted
    assert against == second.champion.fingerprint
    assert failed == []
    assert "rmse (everyone): a loss of 0.0000, 0.01 allowed" in reason
    assert find_champion(metric_file(store)) == second.challenger.fingerprint


def test_one_that_is_worse_does_not_and_the_reason_is_told(store, compete, contest):
    compete(contest("first"))
    second = contest("second", "first")
    promoted, _, reason, failed = decided(store, compete(second, WORSE))
    assert not promoted
    assert ("rmse", "everyone") in failed
    assert ("rmse by everyone", "all") not in failed
    assert reason.startswith("rmse (everyone): a loss of 0.6672, 0.01 allowed;")  # of user 1
    assert find_champion(metric_file(store)) == second.champion.fingerprint


def test_worse_lists_are_a_loss_as_well(store, compete, contest):
    compete(contest("first"))
    nothing = {user: [6, 7, 9, 4] for user in LISTED}
    promoted, *_, failed = decided(store, compete(contest("second", "first"), films=nothing))
    assert not promoted
    assert failed == [("ndcg", "everyone")]


def test_a_slice_may_not_fall_where_everyone_does_not(store, compete, contest):
    """User 1 is guessed worse and user 2 better: over everyone the margin is wide enough."""
    compete(contest("first"))
    other = [(*r[:3], r[3] + 0.5 if r[0] == 1 else r[2], *r[4:]) for r in PREDICTED]
    wide = contest("second", "first", rmse=5, slice_rmse=0.02)
    promoted, *_, failed = decided(store, compete(wide, other))
    assert not promoted
    assert {checked.split(" by ")[0] for checked, _ in failed} == {"rmse"}
    assert all(" by " in checked for checked, _ in failed)


def test_intervals_that_do_not_hold_stop_it(store, compete, contest):
    compete(contest("first"))
    strict = contest("second", "first", coverage=0.01)  # 3 of 4 are covered, of 80 %
    assert decided(store, compete(strict))[3] == [("coverage", "everyone")]


@pytest.fixture
def rated(store):
    """`rated(stars)`: trusted ratings, from stars by day."""

    def build(stars):
        def write(draft):
            rows = [(START + dt.timedelta(days=d), s) for d, day in enumerate(stars) for s in day]
            at, star = map(list, zip(*rows, strict=True))
            told = {"user_id": 1, "film_id": list(range(len(rows))), "rating": star, "rated_at": at}
            typed(ValidatedRatings, "ratings", told).write_parquet(draft / "ratings.parquet")
            for name in ("films", "quarantine"):
                typed(ValidatedRatings, name, {}).write_parquet(draft / f"{name}.parquet")
            return {"dataset": "by-hand", "scale": [], "rules": []}

        return store.build(ValidatedRatings, recipe={"stars": stars}, write=write)

    return build


@pytest.mark.parametrize(
    ("now", "broken"),
    [
        ([*USUAL, USUAL[0]], []),
        (USUAL[:-1], ["fewer"]),
        ([*USUAL, [1.0] * 20], ["shift"]),
        ([*USUAL, USUAL[0] * 21], ["volume"]),
        ([*USUAL[:5], USUAL[5] * 22, *USUAL[6:]], ["volume"]),  # on a day long past
    ],
)
def test_data_that_drift_are_seen_beside_what_the_champion_knows(rated, now, broken):
    with duckdb.connect() as db:
        checks = drift(db, rated(now), rated(USUAL), Margins())
    assert {check.check_name for check in checks} == {"data"}
    assert [check.slice_value for check in checks if check.value > check.threshold] == broken


def test_data_that_drift_stop_it(store, compete, contest, rated):
    """Its champion has learnt from no ratings at all."""
    compete(contest("first"))
    promoted, _, reason, failed = decided(
        store, compete(contest("second", "first"), data=rated(USUAL))
    )
    assert not promoted
    assert failed == [("data", "shift")]
    assert reason == "data (shift): 0.5000, 0.05 allowed"


def test_a_person_may_crown_one_that_was_turned_down(store, compete, contest):
    compete(contest("first"))
    second = contest("second", "first")
    compete(second, WORSE)
    with pytest.raises(LookupError, match="there are none"):
        roll_back.fn(to="", store=store)
    assert roll_back.fn(to=second.challenger.fingerprint[:8], store=store) == find_champion(
        metric_file(store)
    )


def test_what_is_settled_beforehand_is_told(store, compete, contest):
    compete(contest("first"))
    late = dataclasses.replace(contest("late"), settled=(False, "it looks back"))
    assert decided(store, compete(late)) == (False, None, "it looks back", [])


def test_an_adapter_is_decided_on_once(store, compete, contest):
    compete(contest("first"))
    compete(contest("second", "first"))
    again = dataclasses.replace(contest("second", "first"), settled=(True, ""))
    compete(again, WORSE)
    with open_readonly(metric_file(store)) as db:
        assert len(db.execute("select * from champions").fetchall()) == 2


def test_a_night_run_again_meets_whom_it_met(store, compete, contest):
    path, kind = metric_file(store), ("by-hand", "leave-last-2")
    first, second = contest("first"), contest("second", "first")
    names = [c.challenger.fingerprint for c in (first, second)]
    assert opponent_of(path, *kind, names[0]) is None
    compete(first)
    assert opponent_of(path, *kind, names[1]) == names[0]
    compete(second)
    assert opponent_of(path, *kind, names[1]) == names[0]
    assert opponent_of(path, *kind, names[0]) is None
    assert opponent_of(path, *kind, "third") == names[1]
    assert opponent_of(path, "other", "leave-last-2", "third") is None


def test_a_person_goes_back_to_an_earlier_champion(store, compete, contest):
    with pytest.raises(FileNotFoundError, match="make nightly"):
        roll_back.fn(to="", store=store)
    names = []
    for name, against in (("a", None), ("b", "a"), ("c", "b")):
        one = contest(name, against)
        names.append(one.challenger.fingerprint)
        compete(one)
    assert roll_back.fn(to="", store=store) == names[1]
    assert find_champion(metric_file(store)) == names[1]
    assert roll_back.fn(to=names[0][:8], store=store) == names[0]
    assert find_champion(metric_file(store)) == names[0]
    with pytest.raises(LookupError, match=names[2]):
        roll_back.fn(to="nobody", store=store)
    with open_readonly(metric_file(store)) as db:
        told = db.execute("select reason from champions order by decided_at").fetchall()
    assert len(told) == 5  # nothing that was decided is forgotten
