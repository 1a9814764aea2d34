"""Selects the films to recommend to one person, with expected ratings and reasons."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from tasks.nn.examples import Example, Examples
from tasks.readout.anchor import anchor
from tasks.readout.config import Inference
from tasks.readout.inference import Reader, truncate_at_ratings
from tasks.readout.load import load_reader
from tasks.recommend.config import RecommendRequest
from tasks.store.artifacts import (
    Adapter,
    Base,
    CandidatePrompts,
    RankedLists,
    RatingPredictions,
    ValidatedRatings,
)
from tasks.templates import Compact, Original, read_template
from tasks.text_tokenizer import load_tokenizer

RATED_LINE = re.compile(r", Rating:? (\d\.\d)$")


@dataclass(frozen=True)
class Person:
    """One user's context as text, and an example with one branch a candidate."""

    context: str
    template: Compact | Original
    example: Example
    film_ids: list[int]

    @classmethod
    def from_prompts(cls, prompts: CandidatePrompts) -> "Person":
        """From the candidate prompts of one user."""
        table = pq.read_table(prompts.files("examples"))
        context, film_ids = table["context"][0].as_py(), table["film_ids"][0].as_py()
        return cls(
            context,
            read_template(prompts),
            truncate_at_ratings(Examples.from_table(table)[0]),
            film_ids,
        )

    def select(self, film_ids: list[int], prefix: NDArray[np.integer]) -> Example:
        """The example with these films only, behind another prefix."""
        at = [self.film_ids.index(film) for film in film_ids]
        spans = self.example.spans
        selected = replace(
            spans,
            branch=np.arange(len(at), dtype=np.int16),
            start=spans.start[at],
            end=spans.end[at],
            rating=spans.rating[at],
            log_prior=spans.log_prior[at],
        )
        return Example(prefix, [self.example.branches[i] for i in at], selected)


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
    """Write the list, its predicted ratings and reasons.json.

    Among films of the same title only the first is taken: people know films by title.
    """
    titles = ratings.scan("films").select("film_id", "title")
    ordered = lists.scan("lists").drop("title").join(titles, on="film_id").sort("rank").collect()
    best = ordered.unique("title", keep="first", maintain_order=True).head(request.list_length)
    best = best.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32))
    columns = list(RankedLists.tables["lists"].columns)
    best.select(columns).write_parquet(draft / "lists.parquet")
    expected = predictions.scan("ratings").join(best.lazy(), on="film_id", how="semi").collect()
    expected.write_parquet(draft / "ratings.parquet")
    films = best["film_id"].to_list()
    reasons: dict[int, list[dict[str, object]]] = {film: [] for film in films}
    if request.reasons:
        reader, tokenizer = load_reader(adapter, base, prompts, Inference()), load_tokenizer(base)
        person = Person.from_prompts(prompts)
        reasons |= _find_reasons(person, films, reader, tokenizer, request.reasons)
    (draft / "reasons.json").write_text(json.dumps(reasons, indent=1))


def _find_reasons(
    person: Person,
    film_ids: list[int],
    reader: Reader,
    tokenizer: PreTrainedTokenizerBase,
    most: int,
) -> dict[int, list[dict[str, object]]]:
    """For each film, at most `most` lines of the history that raise its expected rating.

    Each line is left out in turn, all in one batch; `stars` is how far the expected rating falls.
    """
    lines = re.split(r"(?<=\n)", person.context)
    rated = [i for i, line in enumerate(lines) if RATED_LINE.search(line.rstrip("\n"))]
    if not rated:
        return {}
    texts = ["".join(lines)] + ["".join(lines[:i] + lines[i + 1 :]) for i in rated]
    prefixes = [_tokenize(tokenizer, text + person.template.rate) for text in texts]
    examples = [person.select(film_ids, prefix) for prefix in prefixes]
    log_prior = np.concatenate([example.spans.log_prior for example in examples])
    log_p = anchor(torch.tensor(reader.read(examples)), torch.tensor(log_prior))
    expected = (log_p.exp().numpy() @ np.asarray(reader.trie.scale)).reshape(len(texts), -1)
    stars = expected[0] - expected[1:]
    reasons = {}
    for film, column in zip(film_ids, stars.T, strict=True):
        best = [i for i in np.argsort(-column, kind="stable")[:most] if column[i] > 0]
        reasons[film] = [
            {"line": lines[rated[i]].rstrip("\n"), "stars": round(float(column[i]), 4)}
            for i in best
        ]
    return reasons


def _tokenize(tokenizer: PreTrainedTokenizerBase, text: str) -> NDArray[np.integer]:
    return np.array(tokenizer(text, add_special_tokens=False)["input_ids"], np.int64)
