"""Answers one person: the first films of a list, their ratings, and what speaks for each."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pydantic
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from tasks.hub import load_tokenizer
from tasks.nn.examples import Example, Examples
from tasks.readout.config import Inference
from tasks.readout.inference import Reader, load_merged, truncate_at_ratings
from tasks.readout.rating_trie import RatingTrie
from tasks.recommend.config import RecommendRequest
from tasks.store.artifacts import (
    Adapter,
    Base,
    CandidatePrompts,
    RankedLists,
    RatingPredictions,
    ValidatedRatings,
)
from tasks.templates import Compact, Original, Template

Floats = NDArray[np.float64]
RATED_LINE = re.compile(r", Rating:? (\d\.\d)$")


@dataclass(frozen=True)
class Person:
    """The asker's own text, and one branch a film that may be told."""

    context: str
    template: Compact | Original
    example: Example
    film_ids: list[int]

    @classmethod
    def of(cls, prompts: CandidatePrompts) -> "Person":
        """From prompts that ask for one user's candidates."""
        table = pq.read_table(prompts.files("examples"))
        template = pydantic.TypeAdapter(Template).validate_python(
            prompts.manifest["recipe"]["template"]
        )
        context, film_ids = table["context"][0].as_py(), table["film_ids"][0].as_py()
        return cls(context, template, truncate_at_ratings(Examples.from_table(table)[0]), film_ids)

    def asked_about(self, film_ids: list[int], prefix: NDArray[np.integer]) -> Example:
        """The same person's example with these films only, behind another prefix."""
        at = [self.film_ids.index(film) for film in film_ids]
        spans = self.example.spans
        kept = replace(
            spans,
            branch=np.arange(len(at), dtype=np.int16),
            start=spans.start[at],
            end=spans.end[at],
            rating=spans.rating[at],
        )
        return Example(prefix, [self.example.branches[i] for i in at], kept)


def write_recommendations(
    draft: Path,
    adapter: Adapter,
    base: Base,
    prompts: CandidatePrompts,
    predictions: RatingPredictions,
    lists: RankedLists,
    ratings: ValidatedRatings,
    request: RecommendRequest,
) -> None:
    """Leave the list, its ratings and the reasons in the draft.

    Of films that have a title in common only the first is named: people go by titles.
    """
    titles = ratings.scan("films").select("film_id", "title")
    ordered = lists.scan("lists").drop("title").join(titles, on="film_id").sort("rank").collect()
    listed = ordered.unique("title", keep="first", maintain_order=True).head(request.list_length)
    listed = listed.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32))
    columns = list(RankedLists.tables["lists"].columns)
    listed.select(columns).write_parquet(draft / "lists.parquet")
    expected = predictions.scan("ratings").join(listed.lazy(), on="film_id", how="semi").collect()
    expected.write_parquet(draft / "ratings.parquet")
    metadata, tokenizer = prompts.metadata, load_tokenizer(base)
    trie = RatingTrie.from_tokenizer(tokenizer, metadata["scale"], metadata["rating_prefix"])
    reader = Reader(load_merged(base, adapter), trie, Inference())
    films = listed["film_id"].to_list()
    reasons = _reasons(Person.of(prompts), films, reader, tokenizer, request.reasons)
    (draft / "reasons.json").write_text(json.dumps(reasons, indent=1))


def _reasons(
    person: Person,
    film_ids: list[int],
    reader: Reader,
    tokenizer: PreTrainedTokenizerBase,
    most: int,
) -> dict[int, list[dict[str, object]]]:
    """For each film, the lines of the own history without which less would be expected of it.

    Each line is left out in turn, all in one batch; `stars` is by how much the expected rating
    falls. Lines without which more would be expected are no reasons.
    """
    lines = person.context.splitlines(keepends=True)
    rated = [i for i, line in enumerate(lines) if RATED_LINE.search(line.rstrip("\n"))]
    if not most or not rated:
        return {film: [] for film in film_ids}
    texts = ["".join(lines)] + ["".join(lines[:i] + lines[i + 1 :]) for i in rated]
    prefixes = [_tokens(tokenizer, text + person.template.rate) for text in texts]
    read = reader.read([person.asked_about(film_ids, prefix) for prefix in prefixes])
    expected = (np.exp(read) @ np.asarray(reader.trie.scale)).reshape(len(texts), -1)
    stars = expected[0] - expected[1:]
    reasons = {}
    for film, column in zip(film_ids, stars.T, strict=True):
        best = [i for i in np.argsort(-column, kind="stable")[:most] if column[i] > 0]
        reasons[film] = [
            {"line": lines[rated[i]].rstrip("\n"), "stars": round(float(column[i]), 4)}
            for i in best
        ]
    return reasons


def _tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> NDArray[np.integer]:
    return np.array(tokenizer(text, add_special_tokens=False)["input_ids"], np.int64)
