"""Answers one person: a list, what each rating is likely to be, and what speaks for each film."""

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

from tasks.artifacts import Adapter, Base, Histories, Predictions, Prompts
from tasks.model.examples import Example, Examples
from tasks.model.load import load_tokenizer
from tasks.model.ratings import RatingTrie
from tasks.predict.config import Ask, Predict
from tasks.predict.decoding import Request
from tasks.predict.lists import ListWriter
from tasks.predict.reading import Reader, load_merged, open_ended
from tasks.predict.tables import LIST, READOUT, list_table, rating_table, read_calibration
from tasks.wording import Compact, Original, Template

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
    def of(cls, candidates: Prompts) -> "Person":
        """From prompts that ask for one user's candidates."""
        table = pq.read_table(candidates.files("examples"))
        template = pydantic.TypeAdapter(Template).validate_python(
            candidates.manifest["recipe"]["template"]
        )
        context, film_ids = table["context"][0].as_py(), table["film_ids"][0].as_py()
        return cls(context, template, open_ended(Examples.of(table)[0]), film_ids)

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


def write_answer(
    draft: Path,
    adapter: Adapter,
    base: Base,
    candidates: Prompts,
    asked: Histories,
    calibrated: Predictions,
    ask: Ask,
) -> None:
    """Leave ratings, the list and the reasons in the draft."""
    notes, person = candidates.notes, Person.of(candidates)
    tokenizer, config = load_tokenizer(base), Predict(list_length=ask.list_length)
    trie = RatingTrie.of(tokenizer, notes["scale"], notes["rating_prefix"])
    reader = Reader(load_merged(base, adapter), trie, config.row_tokens, config.rows_at_once)
    writer = ListWriter.of(reader, tokenizer, candidates, asked, config)
    films, log_p = _list(person, writer, tokenizer)
    example = person.asked_about(films["film_id"].to_list(), person.example.prefix)
    readouts = pl.DataFrame(
        {
            "fold": ["test"] * len(films),
            "user_id": [asked.notes["asker"]] * len(films),
            "film_id": films["film_id"],
            "rating": [None] * len(films),
            "log_p": pl.Series(reader.read([example]), dtype=pl.List(pl.Float64)),
        },
        READOUT,
    )
    ratings = rating_table(readouts, read_calibration(calibrated), trie.scale, "llm")
    ratings.write_parquet(draft / "ratings.parquet")
    listed = readouts.select("fold", "user_id", "film_id").with_columns(
        rank=pl.int_range(1, pl.len() + 1),
        title=films["title"],
        score=pl.Series(log_p),
    )
    means = ratings.select("film_id", rating="mean")
    listed = listed.join(means, on="film_id").select(
        pl.col(name).cast(kind) for name, kind in LIST.items()
    )
    list_table(listed, "llm").write_parquet(draft / "lists.parquet")
    reasons = _reasons(person, films["film_id"].to_list(), reader, tokenizer, ask.reasons)
    (draft / "reasons.json").write_text(json.dumps(reasons, indent=1))


def _list(
    person: Person, writer: ListWriter, tokenizer: PreTrainedTokenizerBase
) -> tuple[pl.DataFrame, list[float]]:
    """The films that the model names, and the log-probability of the list up to each."""
    prefix = _tokens(tokenizer, person.context + person.template.recommend)
    may = writer.films["film_id"].is_in(person.film_ids).to_numpy()
    alive = may[writer.decoder.grammar.films.order]
    (draft,) = writer.decoder.write([Request(prefix, alive)])
    films = writer.films[[entry.film for entry in draft.entries]]
    return films, [entry.film_log_p for entry in draft.entries]


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
