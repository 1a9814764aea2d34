"""A night's predictions: part by part, each finished or done again, then calibrated and joined."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from tasks.artifacts import Adapter, Base, Histories, Predictions, Prompts
from tasks.crew import Crew
from tasks.model.load import load_tokenizer
from tasks.model.ratings import RatingTrie
from tasks.predict.config import Predict
from tasks.predict.greedy import greedy_table
from tasks.predict.lists import ListWriter
from tasks.predict.parts import Make, Part, Work, finish_all, joined
from tasks.predict.reading import Reader
from tasks.predict.tables import (
    LIST,
    READOUT,
    calibration_of,
    list_table,
    matrix_of,
    rating_table,
    readout_table,
)
from tasks.predict.voices import Voices


def predict_all(
    draft: Path,
    adapters: Mapping[str, Adapter],
    base: Base,
    prompts: Prompts,
    histories: Histories,
    config: Predict,
    calibrated: Predictions | None,
    crew: Crew,
) -> dict[str, Any]:
    """Write both tables and a calibration for each adapter by its name; return the notes."""
    notes, parts = prompts.notes, draft / "parts"
    of = (tuple(adapters.items()), base, prompts, histories, config)
    work = Work("predict", prompts, config.users_per_part, load_makers, of)
    finish_all(parts, work, config.workers, crew)
    trie = RatingTrie.of(load_tokenizer(base), notes["scale"], notes["rating_prefix"])
    tables, calibrations = [], {}
    for name in sorted(adapters):
        readouts = _of(joined(parts, "rate", _named(READOUT)), name)
        readouts = readouts.sort("fold", "user_id", "film_id")
        calibration = calibration_of(readouts, trie.scale, histories, calibrated)
        tables.append(rating_table(readouts, calibration, trie.scale, name))
        if config.greedy and calibrated is None:
            log_p = matrix_of(readouts["log_p"], len(trie.scale))
            tables.append(greedy_table(tables[-1], log_p, trie))
        calibrations[name] = calibration.json()
    pl.concat(tables).write_parquet(draft / "ratings.parquet")
    listed = joined(parts, "recommend", _named(LIST))
    lists = [list_table(_of(listed, name), name) for name in sorted(adapters)]
    pl.concat(lists).write_parquet(draft / "lists.parquet")
    first = calibrations[next(iter(adapters))]
    (draft / "calibration.json").write_text(json.dumps(first, indent=1))
    shutil.rmtree(parts)
    return {
        "predictor": next(iter(adapters)),
        "calibration": first,
        "calibrations": calibrations,
        **{key: notes.get(key) for key in ("dataset", "scale", "protocol")},
    }


def load_makers(
    adapters: Sequence[tuple[str, Adapter]],
    base: Base,
    prompts: Prompts,
    histories: Histories,
    config: Predict,
) -> Make:
    """What makes a part's table: the rows of one adapter behind those of the other."""
    notes, tokenizer = prompts.notes, load_tokenizer(base)
    trie = RatingTrie.of(tokenizer, notes["scale"], notes["rating_prefix"])
    voices = Voices(base, dict(adapters))
    writers = {}
    for name, _ in adapters:
        reader = Reader(voices.speak(name), trie, config.row_tokens, config.rows_at_once)
        writers[name] = ListWriter.of(reader, tokenizer, prompts, histories, config)

    def make(part: Part) -> pl.DataFrame:
        tables = []
        for name, writer in writers.items():
            voices.speak(name)
            if part.kind == "rate":
                table = readout_table(writer.reader, part.examples)
            else:
                table = writer.table(part.examples)
            tables.append(table.select(pl.lit(name).alias("predictor"), pl.all()))
        return pl.concat(tables)

    return make


def _named(schema: pl.Schema) -> pl.Schema:
    return pl.Schema([("predictor", pl.String), *schema.items()])


def _of(table: pl.DataFrame, name: str) -> pl.DataFrame:
    return table.filter(predictor=name).drop("predictor")
