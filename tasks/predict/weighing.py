"""Tells how likely the model finds each candidate as the first film of a list."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pydantic
from numpy.typing import NDArray

from tasks.artifacts import Adapter, Base, Prompts
from tasks.crew import Crew
from tasks.model.examples import Example, Spans
from tasks.model.load import load_tokenizer
from tasks.model.ratings import RatingTrie
from tasks.predict.config import Predict
from tasks.predict.parts import Make, Part, Work, finish_all, joined
from tasks.predict.reading import Reader, load_merged
from tasks.predict.tables import LIST, list_table, no_ratings
from tasks.wording import Compact, Original, Template

Floats = NDArray[np.float64]
NOWHERE = np.empty(0, np.int64)
NO_SPANS = Spans(NOWHERE, NOWHERE, NOWHERE, np.empty(0, np.float32))


def weigh_all(
    draft: Path, adapter: Adapter, base: Base, candidates: Prompts, config: Predict, crew: Crew
) -> None:
    """Leave each user's candidates in the draft as a list, the likeliest first."""
    parts, of = draft / "parts", (adapter, base, candidates, config)
    work = Work("weigh", candidates, config.users_per_part, load_weigher, of, more=("context",))
    finish_all(parts, work, config.workers, crew)
    list_table(joined(parts, "rate", LIST), config.predictor).write_parquet(draft / "lists.parquet")
    no_ratings(candidates.notes["scale"]).write_parquet(draft / "ratings.parquet")
    shutil.rmtree(parts)


def load_weigher(adapter: Adapter, base: Base, candidates: Prompts, config: Predict) -> Make:
    """What makes a part's table."""
    notes = candidates.notes
    template: Compact | Original = pydantic.TypeAdapter(Template).validate_python(
        candidates.manifest["recipe"]["template"]
    )
    tokenizer = load_tokenizer(base)
    trie = RatingTrie.of(tokenizer, notes["scale"], notes["rating_prefix"])
    reader = Reader(load_merged(base, adapter), trie, config.row_tokens, config.rows_at_once)
    films = candidates.scan("films").collect()
    lines = dict(zip(films["film_id"], films["tokens"].to_list(), strict=True))

    def weigh(part: Part) -> pl.DataFrame:
        asked = [context + template.recommend for context in part.examples["context"].to_pylist()]
        prefixes = tokenizer(asked, add_special_tokens=False)["input_ids"]
        wanted = part.examples["film_ids"].to_pylist()
        examples = [
            Example(np.array(prefix), [np.array(lines[film]) for film in some], NO_SPANS)
            for prefix, some in zip(prefixes, wanted, strict=True)
        ]
        return _ranked(part.examples, reader.read_texts(examples))

    return weigh


def _ranked(table: pa.Table, log_p: Floats) -> pl.DataFrame:
    """One row a candidate, its log-probability being its score."""
    rows = pl.DataFrame(table.select(["fold", "user_id", "film_ids"])).explode("film_ids")
    rows = rows.with_columns(score=pl.Series(log_p)).sort(
        "fold", "user_id", "score", "film_ids", descending=[False, False, True, False]
    )
    return rows.select(
        "fold",
        "user_id",
        rank=pl.int_range(1, pl.len() + 1).over("fold", "user_id"),
        film_id="film_ids",
        title=pl.lit(""),
        rating=pl.lit(None),
        score="score",
    ).select(pl.col(name).cast(kind) for name, kind in LIST.items())
