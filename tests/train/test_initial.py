"""A warm start begins with the adapter of the latest earlier data, whenever it is run."""

import pytest

from tasks.store.artifacts import Adapter, Base, Prompts, SplitRatings, ValidatedRatings
from tasks.train.initial import find_initial
from tests.world import typed

MONDAY, TUESDAY, WEDNESDAY = (f"2020-01-0{day}" for day in (6, 7, 8))


@pytest.fixture
def build(store):
    """`build(kind, *parents, metadata, **recipe)`: an artifact without rows."""

    def made(kind, *parents, metadata=None, **recipe):
        def write(draft):
            for table, files in kind.tables.items():
                file = files.files.replace("*", "00000")
                typed(kind, table, {}).write_parquet(draft / file)
            return metadata

        return store.build(kind, recipe=recipe, parents=parents, write=write)

    return made


@pytest.fixture
def trained(build, store):
    """`trained(day, ...)`: the prompts of a day, the start of their training, and the adapter."""

    def run(day, base, *, dataset="hand", seed=0, **split_recipe):
        metadata = {"dataset": dataset, "last_day": day}
        ratings = build(ValidatedRatings, metadata=metadata, day=day, dataset=dataset)
        prompts = build(Prompts, build(SplitRatings, ratings, **split_recipe))
        initial = find_initial(base, prompts, store)
        parents = [base, prompts, *([initial] if initial else [])]
        return initial, build(Adapter, *parents, seed=seed)

    return run


def test_mondays_run_again_begins_as_mondays_did(build, trained):
    base = build(Base)
    (none, monday), (first, tuesday) = trained(MONDAY, base), trained(TUESDAY, base)
    second, wednesday = trained(WEDNESDAY, base)
    assert (none, first, second) == (None, monday, tuesday)
    again, same = trained(MONDAY, base)
    assert (again, same) == (None, monday)
    assert trained(TUESDAY, base) == (monday, tuesday)
    assert trained(WEDNESDAY, base) == (tuesday, wednesday)


def test_another_training_of_the_same_day_does_not_change_the_choice(build, trained):
    base = build(Base)
    _, monday = trained(MONDAY, base)
    trained(MONDAY, base, seed=1)
    assert trained(TUESDAY, base)[0] == monday


def test_only_adapters_of_the_base_the_data_and_the_split_are_begun_with(build, trained):
    """Another split may have trained on what is a target here."""
    base = build(Base)
    trained(MONDAY, build(Base, other=True))
    trained(MONDAY, base, dataset="other")
    trained(MONDAY, base, n=5)
    assert trained(TUESDAY, base)[0] is None
