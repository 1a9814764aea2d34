"""What a statement returns is joined by its keys: the order of its rows means nothing."""

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.executor import open_executor
from tasks.score.keys import StatementError
from tasks.score.measure import measure
from tasks.score.statements import read_statements, without_semicolon
from tasks.score.sums import ScoreInputs
from tasks.score.task import Score

READERS = ("values", "slices", "sums")


@pytest.fixture
def measured(split, ratings, predict, rank, store, tmp_path):
    """`measured()`: metrics and comparisons of two predictors."""
    config = Score(ks=(2, 4), compared=("hand",), resamples=100)
    parts = (predict(), predict("other")), (rank(), rank("other"))

    def run():
        with open_executor(2, None, store, []) as executor:
            measure(tmp_path, ScoreInputs(split, ratings, *parts, config), executor)
        return [
            pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("metrics", "comparisons")
        ]

    return run


@pytest.fixture
def rewrite(monkeypatch):
    """`rewrite(change)`: scoring reads `change(file, text)` for each of its statements."""

    def apply(change):
        def read(*folders):
            return [(file, change(file, text)) for file, text in read_statements(*folders)]

        for name in READERS:
            monkeypatch.setattr(f"tasks.score.{name}.read_statements", read)

    return apply


def in_another_order(seed):
    def change(file, text):
        return f"from ({without_semicolon(text)}) as t order by md5(cast(t as varchar) || '{seed}')"

    return change


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 10_000))
def test_no_figure_moves_when_statements_return_their_rows_in_another_order(
    measured, rewrite, seed
):
    rewrite(lambda file, text: text)
    as_written = measured()
    rewrite(in_another_order(seed))
    for found, expected in zip(measured(), as_written, strict=True):
        assert found.equals(expected)


@pytest.mark.parametrize(
    "folder", ["metrics/ratings", "metrics/lists", "metrics/relevance", "slices/targets"]
)
@pytest.mark.parametrize("change", ["{} limit 3", "{0} union all {0}", "{} where false"])
def test_a_statement_that_loses_or_repeats_a_key_is_an_error(measured, rewrite, folder, change):
    def spoil(file, text):
        inside = f"(from ({without_semicolon(text)}))"
        return change.format(f"from {inside}") if folder in str(file) else text

    rewrite(spoil)
    with pytest.raises(StatementError, match=r"each .* once"):
        measured()


@pytest.mark.parametrize("folder", ["slices/films", "slices/users"])
def test_a_slice_that_leaves_out_a_film_or_a_user_is_an_error(measured, rewrite, folder):
    def spoil(file, text):
        return f"from ({without_semicolon(text)}) limit 1" if folder in str(file) else text

    rewrite(spoil)
    with pytest.raises(StatementError, match="no value for"):
        measured()
