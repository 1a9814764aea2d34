"""The artifacts that stages exchange, with the columns of their tables: the data dictionary.

An artifact is a handle on a finished folder. Only `store.build` makes one, after it has verified
that the tables exist and have the columns stated here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl


@dataclass(frozen=True)
class Table:
    """The Parquet files of one relation: `columns` maps a name to (Arrow type, meaning)."""

    files: str
    grain: str
    columns: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Artifact:
    """A finished folder of the store. `cache_hit` says whether this run found it or built it."""

    path: Path
    fingerprint: str
    cache_hit: bool = field(default=False, compare=False)

    top_level: ClassVar[Literal["data", "artifacts"]]
    tables: ClassVar[Mapping[str, Table]] = {}

    @classmethod
    def kind(cls) -> str:
        """The folder name: `ValidatedRatings` lives under `validated-ratings`."""
        return "".join("-" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("-")

    @classmethod
    def kinds(cls) -> list[type["Artifact"]]:
        """Every kind there is."""
        return [kind for sub in cls.__subclasses__() for kind in (sub, *sub.kinds())]

    @property
    def manifest(self) -> dict[str, Any]:
        """What was built from what: recipe, code, parents, rows, files, metadata."""
        return dict(json.loads((self.path / "manifest.json").read_text()))

    @property
    def metadata(self) -> dict[str, Any]:
        """What the stage noted about this build."""
        return dict(self.manifest["metadata"])

    @property
    def cost(self) -> dict[str, float]:
        """Measured when it was built: seconds, cpu_seconds, peak_bytes, bytes, rows."""
        return dict(json.loads((self.path / "cost.json").read_text()))

    def files(self, table: str) -> list[Path]:
        """The Parquet files of one of its tables, in order."""
        return sorted(self.path.glob(self.tables[table].files))

    def scan(self, table: str) -> pl.LazyFrame:
        """One of its tables as a lazy frame, in stored order."""
        return pl.scan_parquet(self.files(table), glob=False)


RATING = {
    "user_id": ("int32", "who rated"),
    "film_id": ("int32", "what was rated"),
    "rating": ("float", "stars, 0.5 to 5"),
    "rated_at": ("timestamp[us, tz=UTC]", "when"),
}

FILM = {
    "film_id": ("int32", "the source's id"),
    "title": ("string", "with the year in brackets where it is known: Toy Story (1995)"),
    "year": ("int16", "of release; null where the source names none"),
    "genres": ("string", "joined by |; empty where none is listed"),
}


ORIGIN = {
    "source": ("uint16", "index into the manifest's metadata.sources"),
    "line": ("uint32", "line of that file, the header being line 1"),
}


class RawRatings(Artifact):
    """Typed ratings and films of the source; lines that could not be typed are in rejects."""

    top_level = "data"

    @property
    def as_of(self) -> date | None:
        """Only ratings of days before this one are in; None where all are."""
        as_of = self.manifest["recipe"]["as_of"]
        return None if as_of is None else date.fromisoformat(as_of)

    tables = {
        "ratings": Table(
            "ratings.parquet",
            "one row a rating of the source, in file order",
            RATING | ORIGIN,
        ),
        "films": Table(
            "films.parquet",
            "one row a film of the source",
            FILM | ORIGIN,
        ),
        "rejects": Table(
            "rejects.parquet",
            "one row a line that could not be typed",
            {
                "relation": ("string", "ratings or films"),
                **ORIGIN,
                "rule": ("string", "why, by name"),
                "detail": ("string", "what was found"),
            },
        ),
    }


class ValidatedRatings(Artifact):
    """Ratings that passed validation, and quarantined rows. `metadata.scale` lists the values."""

    top_level = "data"
    tables = {
        "ratings": Table(
            "ratings.parquet",
            "one row a (user, film), sorted by user_id, rated_at, film_id",
            RATING,
        ),
        "films": Table("films.parquet", "one row a film, sorted by film_id", FILM),
        "quarantine": Table(
            "quarantine.parquet",
            "one row a source row that broke a rule",
            {
                "relation": ("string", "ratings or films"),
                "source": ("string", "name of the source file"),
                "line": ("uint32", "line of that file, the header being line 1"),
                "rule": ("string", "the rule it broke"),
                "detail": ("string", "what was found"),
            },
        ),
    }


class SplitRatings(Artifact):
    """Every valid rating with its fold and role."""

    top_level = "data"
    tables = {
        "ratings": Table(
            "ratings.parquet",
            "one row a rating, sorted by user_id, position",
            RATING
            | {
                "position": ("int32", "place in the user's history, oldest first, from 0"),
                "fold": ("string", "train, validation, test, or unused"),
                "role": (
                    "string",
                    "context: shown to every later fold; target: predicted in its own",
                ),
                "cold": ("bool", "no rating of this film precedes the fold's cut"),
            },
        )
    }


class Tokenizer(Artifact):
    """A tokenizer in Hugging Face layout, next to the base model's catalogue entry."""

    top_level = "artifacts"


class Prompts(Artifact):
    """Examples as text and as token ids, in shards; and each film's line for the decoder."""

    top_level = "data"
    tables = {
        "examples": Table(
            "shard-*.parquet",
            "one row an example, sorted by example",
            {
                "example": ("int64", "its number, from 0, unique over all shards"),
                "user_id": ("int32", "whose history"),
                "fold": ("string", "train, validation or test"),
                "kind": ("string", "rate: one branch a target film; recommend: one branch, a list"),
                "context": ("string", "films with their ratings"),
                "question": ("string", "text between context and answers"),
                "answers": ("list<string>", "the text of each branch"),
                "film_ids": ("list<int32>", "target films, in the order of the answers' lines"),
                "ratings": ("list<float>", "their true ratings; null where unknown"),
                "prefix_tokens": ("list<int32>", "context and question, shared by all branches"),
                "branch_tokens": ("list<list<int32>>", "one list a branch"),
                "spans": (
                    "list<struct<branch: int16, start: int32, end: int32, rating: float>>",
                    "supervised tokens [start, end) of a branch (-1: the prefix), in order; with "
                    "the true rating where the span spells one. Empty outside the train fold's "
                    "and validation fold's use",
                ),
            },
        ),
        "films": Table(
            "films.parquet",
            "one row a film that a list may name, sorted by film_id",
            {
                "film_id": ("int32", "which film"),
                "first_rated_at": ("timestamp[us, tz=UTC]", "first rating outside the test fold"),
                "line": ("string", "its answer line up to the rating"),
                "tokens": ("list<int32>", "that line's token ids"),
            },
        ),
    }


class CandidatePrompts(Prompts):
    """Prompts that ask for the ratings of each user's candidates, which are null."""


class PerturbedPrompts(Prompts):
    """Prompts of some test users whose contexts were changed on purpose."""


class Base(Artifact):
    """A frozen causal language model and its tokenizer in Hugging Face layout."""

    top_level = "artifacts"


class Adapter(Artifact):
    """LoRA weights (safetensors) over a frozen base, with their training history."""

    top_level = "artifacts"
    tables = {
        "history": Table(
            "history.parquet",
            "one row a logged step",
            {
                "step": ("int32", "optimiser steps done"),
                "examples": ("int64", "examples seen"),
                "tokens": ("int64", "tokens seen"),
                "loss": (
                    "double",
                    "mean training loss since the last row; null at step 0, before training",
                ),
                "learning_rate": ("double", "at that step"),
                "validation_loss": ("double", "null where none was taken"),
                "validation_rmse": ("double", "of the expected rating; null where none was taken"),
            },
        )
    }


class RatingPredictions(Artifact):
    """Predicted ratings of held-out films: the same columns for a model and a mean."""

    top_level = "artifacts"
    tables = {
        "ratings": Table(
            "ratings*.parquet",
            "one row a (predictor, fold, user, film), sorted by them",
            {
                "predictor": ("string", "llm, bias, global_mean, ..."),
                "fold": ("string", "validation or test"),
                "user_id": ("int32", "whose rating"),
                "film_id": ("int32", "of which film"),
                "rating": ("float", "the true rating"),
                "mean": ("double", "expected rating, for RMSE; clipped to the scale"),
                "median": ("double", "for MAE"),
                "mode": ("double", "most likely value of the scale"),
                "within_half": ("double", "the value with most probability within half a star"),
                "pi80_low": (
                    "double",
                    "lower end of the 80 % prediction interval; null without probabilities",
                ),
                "pi80_high": ("double", "its upper end; null without probabilities"),
                "p_like": ("double", "probability of 4 stars or more; null without probabilities"),
                "probabilities": (
                    "list<float>",
                    "over the scale, ascending; null where the predictor gives no distribution",
                ),
            },
        ),
    }


class Candidates(Artifact):
    """The films that a retriever proposes for each user of the validation and the test fold."""

    top_level = "artifacts"
    tables = {
        "candidates": Table(
            "candidates.parquet",
            "one row a (fold, user, rank), sorted by them",
            {
                "fold": ("string", "validation or test"),
                "user_id": ("int32", "the user"),
                "rank": ("int32", "from 1"),
                "film_id": ("int32", "null where no film was known before the user"),
                "score": ("double", "the retriever's, larger first"),
            },
        ),
    }


class CandidateScores(Artifact):
    """How likely the language model finds each candidate as the first film of a list."""

    top_level = "artifacts"
    tables = {
        "scores": Table(
            "scores.parquet",
            "one row a (fold, user, film), sorted by them",
            {
                "fold": ("string", "validation or test"),
                "user_id": ("int32", "the user"),
                "film_id": ("int32", "which candidate"),
                "log_likelihood": ("double", "of its line, in nats"),
            },
        ),
    }


class RankedLists(Artifact):
    """Lists of films, best first."""

    top_level = "artifacts"
    tables = {
        "lists": Table(
            "lists*.parquet",
            "one row a (predictor, user, rank), sorted by them",
            {
                "predictor": ("string", "llm, popularity, ..."),
                "fold": ("string", "validation or test"),
                "user_id": ("int32", "the user"),
                "rank": ("int32", "from 1"),
                "film_id": ("int32", "null where the list names no film of the catalogue"),
                "title": ("string", "as named"),
                "rating": ("double", "expected rating; null where none was given"),
                "score": ("double", "what the list is ordered by, larger first"),
                "error": ("string", "null, or the name of what is wrong with the entry"),
            },
        ),
    }


class Recommendations(Artifact):
    """The first films of one person's list, with expected ratings and reasons (reasons.json)."""

    top_level = "artifacts"
    tables = {
        "lists": RankedLists.tables["lists"],
        "ratings": RatingPredictions.tables["ratings"],
    }


class Scores(Artifact):
    """Every metric of every predictor, with intervals, and the differences between predictors."""

    top_level = "artifacts"
    tables = {
        "metrics": Table(
            "metrics.parquet",
            "one row a (predictor, metric, k, slice, value of the slice), sorted by them",
            {
                "predictor": ("string", "llm, bias, ..."),
                "metric": ("string", "name of a file in sql/metrics"),
                "k": ("int32", "list length; null for metrics of ratings"),
                "slice": ("string", "name of a file in sql/slices"),
                "slice_value": ("string", "which part of that slice; everyone has one: all"),
                "value": ("double", "the metric"),
                "ci95_low": (
                    "double",
                    "2.5 % point of the bootstrap over users; null for what is no mean over users",
                ),
                "ci95_high": ("double", "97.5 % point"),
                "n": ("int64", "ratings, or lists, that it is a mean of"),
            },
        ),
        "comparisons": Table(
            "comparisons.parquet",
            "one row a (predictor, against, metric, k, slice, value of the slice), sorted by them",
            {
                "predictor": ("string", "predictor that is compared"),
                "against": ("string", "predictor that it is compared with, on the same users"),
                "metric": ("string", "name of a file in sql/metrics"),
                "k": ("int32", "list length; null for metrics of ratings"),
                "slice": ("string", "name of a file in sql/slices"),
                "slice_value": ("string", "which part of that slice"),
                "difference": ("double", "value of predictor minus value of against"),
                "ci95_low": ("double", "2.5 % point of the paired bootstrap over users"),
                "ci95_high": ("double", "97.5 % point"),
                "n": ("int64", "ratings, or lists, that both are means of"),
            },
        ),
    }


class AblationScores(Artifact):
    """The language model's error behind perturbed contexts."""

    top_level = "artifacts"
    tables = {
        "ablations": Table(
            "ablations.parquet",
            "one row an ablation, sorted by it",
            {
                "ablation": ("string", "how contexts were perturbed; none: not at all"),
                "predictor": ("string", "whose error"),
                "n": ("int64", "ratings"),
                "rmse": ("double", "of the expected rating, in stars"),
                "difference": ("double", "to none, on the same ratings"),
                "ci95_low": ("double", "2.5 % point of the paired bootstrap over users"),
                "ci95_high": ("double", "97.5 % point"),
            },
        )
    }


class MemorizationScores(Artifact):
    """How many rows of the data a base model completes from memory."""

    top_level = "artifacts"
    tables = {
        "memorization": Table(
            "memorization.parquet",
            "one row a kind, sorted by it",
            {
                "kind": (
                    "string",
                    "film: the title behind its id; rating: stars and time behind user and film",
                ),
                "n": ("int64", "rows asked for"),
                "memorized": ("int64", "rows that greedy decoding completes exactly"),
                "share": ("double", "memorized divided by n"),
                "ci95_low": ("double", "2.5 % point by Wilson"),
                "ci95_high": ("double", "97.5 % point"),
            },
        )
    }


class Report(Artifact):
    """One self-contained page, report.html, made from the metrics database alone."""

    top_level = "artifacts"
