"""Champions are kept by data set and recipe of the split, and one of these serves."""

import dataclasses
import shutil

import pytest

from tasks.metrics_db import atomic_update, open_readonly
from tasks.metrics_location import metrics_path
from tasks.publish.config import PromotionMargins
from tasks.publish.opponent import FIRST, ChampionChangedError, find_opponent
from tasks.publish.serving import find_serving_champion, read_champions
from tasks.publish.task import roll_back, serve_from
from tasks.store.artifacts import Adapter, RawRatings, SplitRatings
from tests.world import PREDICTED, bare_adapter, typed

WORSE = [(*row[:3], row[3] + 1, *row[4:]) for row in PREDICTED]


@pytest.fixture
def night(store, ratings, split, publish_run):
    """`night(name, rows, dataset, **recipe)`: an adapter's run as the flow publishes it."""

    def run(name, rows=PREDICTED, *, dataset="by-hand", **recipe):
        def copy_of(tables):
            def write(draft):
                for table, frame in tables.items():
                    frame.write_parquet(draft / f"{table}.parquet")
                return split.metadata | {"dataset": dataset}

            return write

        tables = {name: typed(RawRatings, name, {}) for name in RawRatings.tables}
        raw = store.build(RawRatings, recipe={"as_of": None}, write=copy_of(tables))
        frames = {name: split.scan(name).collect() for name in SplitRatings.tables}
        parents = [raw, ratings]
        if dataset != "by-hand":
            parents += [split]  # other data
        own = store.build(SplitRatings, recipe=recipe, parents=parents, write=copy_of(frames))
        adapter = bare_adapter(store, own, name)
        margins = PromotionMargins(coverage=0.1)
        challenge = find_opponent(adapter, own, raw, margins=margins, store=store)
        publish_run(challenge, rows, of=own, current=False)
        return adapter.fingerprint

    return run


def champions(store):
    return {(row.dataset, row.split_recipe): row.adapter for row in read_champions(store)}


def decisions(store):
    with open_readonly(metrics_path(store)) as db:
        return db.execute("select promoted, reason from champions order by decided_at").fetchall()


def test_a_run_of_another_split_in_between_lets_no_worse_adapter_through(store, night):
    """A champion; B by the README's example, `split.ties=film`; C of A's split, a star worse."""
    a, b = night("a"), night("b", ties="film")
    night("c", WORSE)
    assert [promoted for promoted, _ in decisions(store)] == [True, True, False]
    assert decisions(store)[1][1] == FIRST.reason
    assert sorted(champions(store).values()) == sorted([a, b])
    assert find_serving_champion(store).fingerprint == a


def test_a_run_on_other_data_does_not_change_what_serves(store, night):
    a, other = night("a"), night("other", dataset="legacy-data")
    assert find_serving_champion(store).fingerprint == a
    with pytest.raises(LookupError, match=r'0 champions are of "nobody": there are by-hand'):
        serve_from.fn(dataset="nobody", split="", store=store)
    chosen = serve_from.fn(dataset="legacy-data", split="leave-last-2", store=store)
    assert (chosen.adapter, chosen.serves) == (other, True)
    assert find_serving_champion(store).fingerprint == other
    assert [row.serves for row in read_champions(store)] == [True, False]
    b = night("b")
    assert champions(store)["by-hand", read_champions(store)[1].split_recipe] == b
    assert find_serving_champion(store).fingerprint == other


def test_two_splits_of_one_name_are_told_apart_by_their_recipe(store, night):
    night("a")
    b = night("b", ties="film")
    with pytest.raises(LookupError, match=r'2 champions are of "by-hand leave-last-2"'):
        serve_from.fn(dataset="by-hand", split="leave-last-2", store=store)
    recipe = next(row.split_recipe for row in read_champions(store) if row.adapter == b)
    assert serve_from.fn(dataset="by-hand", split=recipe[:6], store=store).adapter == b
    assert find_serving_champion(store).fingerprint == b


def test_a_rollback_goes_back_within_what_serves(store, night):
    a, c = night("a"), night("c")
    night("b", ties="film")
    assert find_serving_champion(store).fingerprint == c
    assert roll_back.fn(to="", store=store) == a == find_serving_champion(store).fingerprint


def before_recipes(store):
    """The file as published before runs had the recipe of their split."""
    with atomic_update(metrics_path(store)) as db:
        db.execute("drop view champion; drop view trend; drop table serving")
        db.execute("alter table runs drop column split_recipe")
        db.execute("delete from migrations where name like '%_serving'")


def with_splits(store):
    """Publishes rows of the splits, as a whole run has them."""
    with open_readonly(metrics_path(store)) as db:
        return db.execute("select count(*) from stages where kind = 'split-ratings'").fetchone()


def test_a_champion_of_an_earlier_version_is_challenged_on_its_own_split(store, night):
    """Of its version all splits of one name had one champion: the newest, B, hid A."""
    a, b = night("a"), night("b", ties="film")
    assert with_splits(store) == (2,)
    before_recipes(store)
    assert find_serving_champion(store).fingerprint == b  # as it served then
    night("c", WORSE)
    assert decisions(store)[-1][0] is False
    assert sorted(champions(store).values()) == sorted([a, b])


def test_a_champion_of_an_earlier_version_whose_split_is_gone_is_not_walked_over(store, night):
    a = night("a")
    before_recipes(store)
    shutil.rmtree(store.ancestor(SplitRatings, store.find(Adapter, a)).path)
    b = night("b", ties="film")
    promoted, reason = decisions(store)[-1]
    assert not promoted
    assert f"no comparison with the champion {a}" in reason
    assert find_serving_champion(store).fingerprint == a
    assert roll_back.fn(to=b[:8], store=store) == b == find_serving_champion(store).fingerprint


def test_a_challenge_to_a_champion_of_before_is_not_published(store, publish_run, challenge):
    """Two machines: while b was compared with a, c was promoted."""
    publish_run(challenge("a"))
    b = dataclasses.replace(challenge("b", "a"), expected=challenge("a").challenger.fingerprint)
    publish_run(challenge("c", "a"))
    with pytest.raises(ChampionChangedError, match="was compared with"):
        publish_run(b, current=False)
    assert len(decisions(store)) == 2
