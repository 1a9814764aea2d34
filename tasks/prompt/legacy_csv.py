"""Writes the original notebooks' file, Context-Question-AnswerDatabase.csv."""

from pathlib import Path

import polars as pl

from tasks.templates import Original

NAME = "Context-Question-AnswerDatabase.csv"
HEAD = "### CONTEXT\n"
QUESTION = "What will be some more movies this user might like?"


def write_legacy_csv(examples: pl.DataFrame, path: Path) -> None:
    """Write examples of kind `recommend` in the columns index, Context, Question, Answer.

    The context is without the prompt's heading, the answer without its end mark. Texts are the
    original's to the character: one that begins with `=` is not escaped, and a spreadsheet would
    take it for a formula.
    """
    closing = Original().closing
    examples.select(
        pl.int_range(pl.len()).alias(""),
        pl.col("context").str.strip_prefix(HEAD).alias("Context"),
        pl.lit(QUESTION).alias("Question"),
        pl.col("answers").list.first().str.strip_suffix(closing).alias("Answer"),
    ).write_csv(path)
