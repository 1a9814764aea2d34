"""Texts of prompts: one class a template, film lines, feature strings."""

from typing import Annotated, Literal

import polars as pl
import pydantic

from tasks.store.artifacts import Prompts

TENTHS = 51  # of a star, 0.0 to 5.0
COUNT_BUCKETS = 32  # powers of two; the first is a count of zero


class Compact(pydantic.BaseModel, frozen=True, extra="forbid"):
    """One short line a film: for small models, and for many films in few tokens.

    The prior alone (tasks/features/collaborative.py) did as well as all three features on
    MovieLens-100K, in two thirds of the tokens.
    """

    wording: Literal["compact"] = "compact"
    features: tuple[Literal["film", "user", "prior"], ...] = ("prior",)
    """Features on each film's line: mean and count of the film's or user's ratings; the prior."""

    opening: str = ""
    """Text before the context."""
    context_separator: str = ", Rating: "
    """Text between a context film and its rating."""
    target_separator: str = ", Rating: "
    """Text between a target film and its rating."""
    rate: str = ""
    """Question that asks for ratings."""
    recommend: str = "More films that this user liked:\n"
    """Question that asks for a list."""
    closing: str = ""
    """Text after an answer."""
    tokenize_per_line: bool = True
    """Tokenise each line on its own."""


class Original(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The original notebooks' wording, to the character; the question for ratings is ours."""

    wording: Literal["original"] = "original"
    features: tuple[Literal["film", "user", "prior"], ...] = ()
    """Features on each film's line: mean and count of the film's or user's ratings; the prior."""

    opening: str = (
        "### CONTEXT\nGiven a user's past movie ratings in the format: Title, Genres, Rating.\n"
        "Ratings range from 1.0 to 5.0\n\n"
    )
    """Text before the context."""
    context_separator: str = ", Rating "
    """Text between a context film and its rating."""
    target_separator: str = ", Rating: "
    """Text between a target film and its rating."""
    rate: str = "\n\n### QUESTION\nHow will this user rate this movie?\n\n### ANSWER\n"
    """Question that asks for ratings."""
    recommend: str = (
        "\n\n### QUESTION\nWhat will be some more movies this user might like?\n\n### ANSWER\n"
    )
    """Question that asks for a list."""
    closing: str = "</s>"
    """Text after an answer."""
    tokenize_per_line: bool = False
    """Tokenise each line on its own; false: its blank lines merge with the text that follows."""


Template = Annotated[Compact | Original, pydantic.Field(discriminator="wording")]


def read_template(prompts: Prompts) -> Compact | Original:
    """The template that prompts were written with."""
    template: Compact | Original = pydantic.TypeAdapter(Template).validate_python(
        prompts.manifest["recipe"]["template"]
    )
    return template


def film_texts(films: pl.DataFrame) -> list[str]:
    """`Heat (1995), Action|Crime` for each film; white space in titles becomes single spaces."""
    genres = pl.when(pl.col("genres") == "").then(pl.lit("(no genres listed)"))
    title = pl.col("title").str.replace_all(r"\s+", " ").str.strip_chars()
    text = pl.concat_str(title, pl.lit(", "), genres.otherwise(pl.col("genres")))
    return films.select(text.alias("text"))["text"].to_list()


def count_strings(of: Literal["film", "user"]) -> list[str]:
    """`, film 3.9 x64` (the mean, and at least so many ratings), mean by mean, count by count."""
    return [
        f", {of} {tenth / 10:.1f} x{2 ** (bucket - 1)}" if bucket else f", {of} new"
        for tenth in range(TENTHS)
        for bucket in range(COUNT_BUCKETS)
    ]


def prior_strings() -> list[str]:
    """`, guess 3.7` for every tenth of a star; the last one, empty, for no prior."""
    return [*(f", guess {tenth / 10:.1f}" for tenth in range(TENTHS)), ""]
