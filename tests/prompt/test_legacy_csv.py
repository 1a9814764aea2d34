"""The legacy CSV has the columns and texts of the original's file."""

import polars as pl

from tasks.prompt.legacy_csv import write_legacy_csv
from tasks.templates import Original

LINES = (
    "Usual Suspects, The (1995), Crime|Mystery, Rating 4.0\n"
    'She said "no", twice (1999), (no genres listed), Rating 4.5\n'
)
ANSWER = "Heat (1995), Action, Rating: 5.0\nAmélie (2001), Comedy, Rating: 0.5\n"


def test_a_row_has_the_originals_context_question_and_answer(tmp_path):
    path = tmp_path / "legacy.csv"
    original = Original()
    examples = {"context": [original.opening + LINES], "answers": [[ANSWER + original.closing]]}
    write_legacy_csv(pl.DataFrame(examples), path)
    (row,) = pl.read_csv(path, infer_schema=False).iter_rows(named=True)
    assert row == {
        "": "0",
        "Context": "Given a user's past movie ratings in the format: Title, Genres, Rating.\n"
        f"Ratings range from 1.0 to 5.0\n\n{LINES}",
        "Question": "What will be some more movies this user might like?",
        "Answer": ANSWER,
    }
