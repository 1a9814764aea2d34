"""The original's file: what is written is read again, whatever a title holds."""

import polars as pl
import pytest

from tasks.prompt.legacy_csv import read_database, write_database
from tasks.templates import Original

CONTEXT = Original().opening + (
    "Usual Suspects, The (1995), Crime|Mystery, Rating 4.0\n"
    'She said "no", twice (1999), (no genres listed), Rating 4.5\n'
)
ANSWER = "Heat, Rating: 3 (1995), Action, Rating: 5.0\nAmélie (2001), Comedy, Rating: 0.5\n</s>"


@pytest.fixture
def written(tmp_path):
    """A file with one row."""
    path = tmp_path / "Context-Question-AnswerDatabase.csv"
    write_database(pl.DataFrame({"context": [CONTEXT], "answers": [[ANSWER]]}), path)
    return path


def test_what_is_written_is_read_again(written):
    assert read_database(written).select("part", "title", "genres", "rating").rows() == [
        ("context", "Usual Suspects, The (1995)", "Crime|Mystery", 4.0),
        ("context", 'She said "no", twice (1999)', "(no genres listed)", 4.5),
        ("answer", "Heat, Rating: 3 (1995)", "Action", 5.0),
        ("answer", "Amélie (2001)", "Comedy", 0.5),
    ]


def test_the_columns_are_the_originals(written):
    table = pl.read_csv(written)
    assert table.columns == ["", "Context", "Question", "Answer"]
    assert table["Question"].to_list() == ["What will be some more movies this user might like?"]
    assert table["Context"][0].startswith("Given a user's past movie ratings in the format:")
    assert table["Answer"][0].endswith("Rating: 0.5\n")


def test_a_line_without_a_rating_is_named(written):
    written.write_text(written.read_text().replace(", Rating: 5.0", ""))
    with pytest.raises(ValueError, match='row 0: no title, genres and rating in "Heat, Rating: 3'):
        read_database(written)


def test_other_columns_are_refused(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"expected are an index, Context, Question and Answer"):
        read_database(path)
