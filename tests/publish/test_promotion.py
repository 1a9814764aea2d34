"""A challenger is promoted only if it loses nothing against the champion beyond the margins."""

import dataclasses
import datetime as dt
import shutil

import duckdb
import pytest

from flows.alerts import alert_on_rejections, rejection_alert
from flows.settings import WEBHOOK
from tasks.metrics_db import find_champion, open_readonly
from tasks.metrics_location import metrics_path
from tasks.publish.config import PromotionMargins
from tasks.publish.opponent import FIRST, Decision, find_opponent
from tasks.publish.promotion import check_drift
from tasks.publish.sent_alerts import find_unsent
from tasks.publish.task import roll_back
from tasks.store.artifacts import (
    Adapter,
    Base,
    RawRatings,
    SplitRatings,
    Tokenizer,
    ValidatedRatings,
)
from tasks.store.store import StoreError
from tests.servers import webhook
from tests.world import LISTED, PREDICTED, START, bare_adapter, typed

MARGINS = PromotionMargins()
USUAL = [[3.0, 4.0] * 5] * 30  # stars by day


def flip_each_file(folder):
    for file in folder.glob("[!c]*"):  # all but cost.json, which has no hash
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)


WORSE = [(*row[:3], row[3] + 1, *row[4:]) for row in PREDICTED]


def champion(store):
    return find_champion(metrics_path(store))


def decision(store, run_id):
    """Promoted or not, the champion before, the reason, and the failed checks."""
    with open_readonly(metrics_path(store)) as db:
        (row,) = db.execute(
            "select promoted, previous_champion, reason from champions where run_id = ?", [run_id]
        ).fetchall()
        failed = db.execute(
            "select check_name, slice_value from checks "
            "where run_id = ? and not passed order by all",
            [run_id],
        ).fetchall()
    return *row, failed


def test_the_first_adapter_is_promoted(store, publish_run, challenge):
    first = challenge("first")
    assert decision(store, publish_run(first)) == (True, None, FIRST.reason, [])
    assert champion(store) == first.challenger.fingerprint


def test_a_challenger_that_loses_nothing_is_promoted(store, publish_run, challenge):
    publish_run(challenge("first"))
    second = challenge("second", "first")
    promoted, against, reason, failed = decision(store, publish_run(second))
    assert (promoted, against, failed) == (True, second.champion.fingerprint, [])
    assert "rmse (everyone): a loss of 0.0000, 0.01 allowed" in reason
    assert champion(store) == second.challenger.fingerprint


@pytest.mark.parametrize(("without", "rejected"), [(PREDICTED, True), (WORSE, False)])
def test_an_adapter_that_makes_what_is_served_worse_is_rejected(
    store, publish_run, challenge, predict, without, rejected
):
    """Beside the same without the language models, whatever the champion is like."""
    publish_run(challenge("first"))
    second = challenge("second", "first", rmse=9, slice_rmse=9, coverage=1)
    run_id = publish_run(second, WORSE, beside=[predict("llm_without_llm", without)])
    promoted, _, reason, failed = decision(store, run_id)
    assert promoted is not rejected
    assert failed == [("llm_value rmse", "everyone")] * rejected
    assert reason.startswith("llm_value rmse (everyone): a loss of ") is rejected


MISSES = {user: [6, 7, 9, 4] for user in LISTED}
HITS = {user: [1, 2, 3, 4] for user in LISTED}  # both like film 1


@pytest.mark.parametrize(("films", "without"), [(MISSES, HITS), (HITS, MISSES)])
def test_an_adapter_that_makes_the_served_lists_worse_is_rejected(
    store, publish_run, challenge, rank, films, without
):
    publish_run(challenge("first"))
    second = challenge("second", "first", ndcg=9, coverage=1)
    alone = rank("llm_without_llm", without)
    promoted, _, _, failed = decision(store, publish_run(second, films=films, lists_beside=[alone]))
    assert promoted is (films == HITS)
    assert failed == [("llm_value ndcg", "everyone")] * (films == MISSES)


def test_a_worse_challenger_is_rejected_with_its_losses_as_the_reason(
    store, publish_run, challenge
):
    publish_run(challenge("first"))
    second = challenge("second", "first")
    promoted, _, reason, failed = decision(store, publish_run(second, WORSE))
    assert not promoted
    assert ("rmse", "everyone") in failed
    assert ("rmse by everyone", "all") not in failed
    assert reason.startswith("rmse (everyone): a loss of 0.6672, 0.01 allowed")  # of user 1
    assert champion(store) == second.champion.fingerprint


def test_a_rejection_is_told_once_also_where_its_run_died_or_the_webhook_failed(
    store, publish_run, challenge, monkeypatch
):
    publish_run(challenge("first"))
    run_id = publish_run(challenge("second", "first"), WORSE)  # and here its run dies
    monkeypatch.setenv(WEBHOOK, "http://127.0.0.1:9/")
    alert_on_rejections(store)
    assert [one.run_id for one in find_unsent(store)] == [run_id]
    with webhook() as (address, payloads):
        monkeypatch.setenv(WEBHOOK, address)
        alert_on_rejections(store)
        alert_on_rejections(store)
    assert [payload["source"] for payload in payloads] == [f"run {run_id}"]


def test_worse_lists_alone_reject_a_challenger(store, publish_run, challenge):
    publish_run(challenge("first"))
    promoted, *_, failed = decision(store, publish_run(challenge("second", "first"), films=MISSES))
    assert not promoted
    assert failed == [("ndcg", "everyone")]


def test_intervals_without_their_coverage_reject(store, publish_run, challenge):
    publish_run(challenge("first"))
    strict = challenge("second", "first", coverage=0.01)  # 3 of 4 ratings are covered, not 80 %
    assert decision(store, publish_run(strict))[3] == [("coverage", "everyone")]


@pytest.fixture
def validated(store):
    """`validated(stars)`: ratings with these stars, by day; the first `replaced` of other films."""

    def build(stars, replaced=0):
        def write(draft):
            rows = [(START + dt.timedelta(days=d), s) for d, day in enumerate(stars) for s in day]
            at, star = map(list, zip(*rows, strict=True))
            table = {
                "user_id": 1,
                "film_id": [-n if n < replaced else n for n in range(len(rows))],
                "rating": star,
                "rated_at": at,
            }
            typed(ValidatedRatings, "ratings", table).write_parquet(draft / "ratings.parquet")
            for name in ("films", "quarantine"):
                typed(ValidatedRatings, name, {}).write_parquet(draft / f"{name}.parquet")
            return {"dataset": "by-hand", "scale": [], "rules": []}

        return store.build(
            ValidatedRatings, recipe={"stars": stars, "replaced": replaced}, write=write
        )

    return build


@pytest.mark.parametrize(
    ("now", "failed"),
    [
        ([*USUAL, USUAL[0]], []),
        (USUAL[:-1], ["missing"]),
        ([*USUAL, [1.0] * 20], ["shift"]),
        ([*USUAL, USUAL[0] * 20], []),
        ([*USUAL, USUAL[0] * 21], ["volume"]),
        ([*USUAL[:5], USUAL[5] * 22, *USUAL[6:]], ["volume"]),  # a day long past gained 21 days'
    ],
)
def test_drift_is_measured_from_the_ratings_of_the_champion(validated, now, failed):
    with duckdb.connect() as db:
        checks = check_drift(db, validated(now), validated(USUAL), PromotionMargins())
    assert [check.check_name for check in checks] == ["data"] * 3
    assert [check.slice_value for check in checks if not check.passed] == failed


def test_ratings_that_others_replaced_are_missing(validated):
    with duckdb.connect() as db:
        checks = check_drift(db, validated(USUAL, replaced=31), validated(USUAL), MARGINS)
        wide = PromotionMargins(missing=0.1)
        allowed = check_drift(db, validated(USUAL, replaced=31), validated(USUAL), wide)
    missing = {check.slice_value: check for check in checks}["missing"]
    assert (missing.value, missing.passed) == (0.1, False)  # film 0 is the same
    assert all(check.passed for check in allowed)


def test_drifted_data_reject_a_challenger(store, publish_run, challenge, validated):
    """The champion of the hand-made world was trained on no ratings at all."""
    publish_run(challenge("first"))
    run_id = publish_run(challenge("second", "first"), data=validated(USUAL))
    promoted, _, reason, failed = decision(store, run_id)
    assert not promoted
    assert failed == [("data", "shift")]
    assert reason == "data (shift): 0.5000, 0.05 allowed"


def test_without_an_opponent_the_default_decision_is_published(store, publish_run, challenge):
    publish_run(challenge("first"))
    default = Decision(promoted=False, reason="it looks back")
    late = dataclasses.replace(challenge("late"), default_decision=default)
    assert decision(store, publish_run(late)) == (False, None, "it looks back", [])


def test_an_adapter_is_decided_on_once(store, publish_run, challenge):
    publish_run(challenge("first"))
    publish_run(challenge("second", "first"))
    publish_run(challenge("second", "first"), WORSE)
    with open_readonly(metrics_path(store)) as db:
        assert db.execute("select count(*) from runs").fetchall() == [(3,)]
        assert db.execute("select count(*) from champions").fetchall() == [(2,)]


@pytest.fixture
def trained(store, ratings, split):
    """`trained(name, day, recipe)`: an adapter on ratings up to a day, with its split and data."""

    def build(name, day=None, **recipe):
        as_of = {"as_of": day and day.isoformat()}
        tables = {name: typed(RawRatings, name, {}) for name in RawRatings.tables}

        def copy_of(tables):
            def write(draft):
                for table, frame in tables.items():
                    frame.write_parquet(draft / f"{table}.parquet")
                return split.metadata

            return write

        raw = store.build(RawRatings, recipe=as_of, write=copy_of(tables))
        rows = {name: split.scan(name).collect() for name in SplitRatings.tables}
        own = store.build(SplitRatings, recipe=recipe, parents=[raw, ratings], write=copy_of(rows))
        return bare_adapter(store, own, name), own, raw

    return build


def test_an_adapter_keeps_the_opponent_of_its_first_run(store, publish_run, challenge, trained):
    def opponent(inputs):
        return find_opponent(*inputs, margins=MARGINS, store=store).champion

    first, second, third = trained("first"), trained("second"), trained("third")
    assert opponent(first) is None
    publish_run(dataclasses.replace(challenge(), challenger=first[0]))
    assert opponent(second) == first[0]
    publish_run(dataclasses.replace(challenge(), challenger=second[0], champion=first[0]))
    assert opponent(first) is None
    assert opponent(second) == first[0]
    assert opponent(third) == second[0]


def test_adapters_of_different_splits_are_not_compared(store, publish_run, challenge, trained):
    publish_run(dataclasses.replace(challenge(), challenger=trained("first")[0]))
    found = find_opponent(*trained("other", ties="film"), margins=MARGINS, store=store)
    assert (found.champion, found.default_decision) == (None, FIRST)


def test_a_champion_of_a_later_day_is_not_compared_and_stays(
    store, publish_run, challenge, trained
):
    days = [dt.date(2020, 1, day) for day in (1, 2, 3)]
    champion_of_day_2 = trained("champion", days[1])
    publish_run(dataclasses.replace(challenge(), challenger=champion_of_day_2[0]))
    before = find_opponent(*trained("before", days[0]), margins=MARGINS, store=store)
    assert before.champion is None
    assert not before.default_decision.promoted
    assert "up to 2020-01-02, a later day" in before.default_decision.reason
    after = find_opponent(*trained("after", days[2]), margins=MARGINS, store=store)
    assert after.champion == champion_of_day_2[0]


@pytest.mark.parametrize("harm", [shutil.rmtree, flip_each_file])
@pytest.mark.parametrize("kind", [Adapter, SplitRatings, RawRatings])
def test_a_champion_that_cannot_be_compared_with_stays(
    store, publish_run, challenge, trained, kind, harm
):
    """So does one whose ratings an earlier version of the project made, under another kind."""
    old = trained("champion")[0]
    publish_run(dataclasses.replace(challenge(), challenger=old))
    new, split, raw = trained("challenger", dt.date(2020, 1, 1))
    harm(old.path if kind is Adapter else store.ancestor(kind, old).path)
    found = find_opponent(new, split, raw, margins=MARGINS, store=store)
    assert (found.champion, found.missing) == (None, old.fingerprint)
    run_id = publish_run(found, seed=1)
    promoted, against, reason, _ = decision(store, run_id)
    assert (promoted, against) == (False, old.fingerprint)
    assert kind.kind() in reason
    assert champion(store) == old.fingerprint
    (alert,) = map(rejection_alert, find_unsent(store))
    assert f"no comparison with the champion {old.fingerprint}" in alert.summary
    assert alert.hint == "make reports name=champions"
    assert roll_back.fn(to=new.fingerprint, store=store) == new.fingerprint == champion(store)


@pytest.mark.parametrize("kind", [Base, Tokenizer, ValidatedRatings])
def test_a_champion_whose_inputs_are_damaged_is_not_compared_with(
    store, publish_run, challenge, trained, kind
):
    old = trained("champion")[0]
    publish_run(dataclasses.replace(challenge(), challenger=old))
    challenger = trained("challenger")  # a run that builds the same input again would mend it
    flip_each_file(store.ancestor(kind, old).path)
    found = find_opponent(*challenger, margins=MARGINS, store=store)
    assert (found.champion, found.missing) == (None, old.fingerprint)
    assert not found.default_decision.promoted


@pytest.mark.parametrize("harm", [shutil.rmtree, flip_each_file])
@pytest.mark.parametrize("kind", [Adapter, Base, Tokenizer, SplitRatings, ValidatedRatings])
def test_a_rollback_to_what_is_not_whole_is_refused(store, publish_run, challenge, kind, harm):
    first, second = challenge("first"), challenge("second", "first")
    publish_run(first)
    publish_run(second)
    before = first.challenger
    harm(before.path if kind is Adapter else store.ancestor(kind, before).path)
    for to in ("", before.fingerprint):
        with pytest.raises(StoreError, match=kind.kind()):
            roll_back.fn(to=to, store=store)
    assert champion(store) == second.challenger.fingerprint


def test_a_person_goes_back_to_an_earlier_champion(store, publish_run, challenge):
    with pytest.raises(FileNotFoundError, match="make nightly"):
        roll_back.fn(to="", store=store)
    names = []
    for name, against in (("a", None), ("b", "a"), ("c", "b")):
        one = challenge(name, against)
        names.append(one.challenger.fingerprint)
        publish_run(one)
    assert roll_back.fn(to="", store=store) == names[1] == champion(store)
    assert roll_back.fn(to=names[0][:8], store=store) == names[0] == champion(store)
    with pytest.raises(LookupError, match=names[2]):
        roll_back.fn(to="nobody", store=store)
    with open_readonly(metrics_path(store)) as db:
        assert db.execute("select count(*) from champions").fetchall() == [(5,)]


def test_a_person_may_promote_a_rejected_adapter(store, publish_run, challenge):
    publish_run(challenge("first"))
    second = challenge("second", "first")
    publish_run(second, WORSE)
    with pytest.raises(LookupError, match="there are none"):
        roll_back.fn(to="", store=store)
    rejected = second.challenger.fingerprint
    assert roll_back.fn(to=rejected[:8], store=store) == rejected == champion(store)
