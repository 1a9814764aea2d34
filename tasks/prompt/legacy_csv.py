"""The original's own file, Context-Question-AnswerDatabase.csv: written, and read again."""

import re
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from tasks.templates import Original

NAME = "Context-Question-AnswerDatabase.csv"
HEAD = "### CONTEXT\n"
QUESTION = "What will be some more movies this user might like?"
# From the right end: 27 % of the answers' lines have a comma within the title.
LINE = re.compile(r"(?P<title>.+), (?P<genres>[^,]*), Rating:? (?P<rating>\d\.\d)")


def write_database(examples: pl.DataFrame, path: Path) -> None:
    """Write examples of kind `recommend` as index, Context, Question, Answer, like the original.

    The context is without the prompt's heading, the answer without its end mark.
    """
    closing = Original().closing
    examples.select(
        pl.int_range(pl.len()).alias(""),
        pl.col("context").str.strip_prefix(HEAD).alias("Context"),
        pl.lit(QUESTION).alias("Question"),
        pl.col("answers").list.first().str.strip_suffix(closing).alias("Answer"),
    ).write_csv(path)


def read_database(path: Path) -> pl.DataFrame:
    """One row a line of the file: row, part (context or answer), title, genres, rating.

    Raises ValueError where the columns are others, or a line names no film with a rating.
    """
    table = pl.read_csv(path, glob=False, infer_schema=False)
    if table.columns[1:] != ["Context", "Question", "Answer"]:
        raise ValueError(
            f"{path.name} has the columns {table.columns}: expected are an index, Context, "
            "Question and Answer"
        )
    rows = [
        {"row": number, "part": part, **film}
        for number, (context, answer) in enumerate(table.select("Context", "Answer").iter_rows())
        for part, text in (("context", context.split("\n\n", 1)[-1]), ("answer", answer))
        for film in _films(text.splitlines(), path, number)
    ]
    return pl.DataFrame(rows)


def _films(lines: Iterable[str], path: Path, row: int) -> list[dict[str, str | float]]:
    films = []
    for line in filter(str.strip, lines):
        found = LINE.fullmatch(line.strip())
        if found is None:
            raise ValueError(f'{path.name}, row {row}: no title, genres and rating in "{line}"')
        films.append({**found.groupdict(), "rating": float(found["rating"])})
    return films
