"""A night's predictions: part by part, each finished or done again, then calibrated and joined."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl

from tasks.artifacts import Adapter, Base, Histories, Predictions, Prompts
from tasks.model.load import load_tokenizer
from tasks.model.ratings import RatingTrie
from tasks.predict.config import Predict
from tasks.predict.greedy import greedy_table
from tasks.predict.lists import ListWriter
from tasks.predict.parts import finish_part, joined, parts_of
from tasks.predict.reading import Reader, load_merged
from tasks.predict.tables import (
    LIST,
    READOUT,
    calibration_of,
    list_table,
    matrix_of,
    rating_table,
    readout_table,
)
from tasks.progress import progress


def predict_all(
    draft: Path,
    adapter: Adapter,
    base: Base,
    prompts: Prompts,
    histories: Histories,
    config: Predict,
    calibrated: Predictions | None,
) -> dict[str, Any]:
    """Write both tables and the calibration; return the notes for the manifest."""
    notes = prompts.notes
    tokenizer = load_tokenizer(base)
    trie = RatingTrie.of(tokenizer, notes["scale"], notes["rating_prefix"])
    reader = Reader(load_merged(base, adapter), trie, config.row_tokens, config.rows_at_once)
    writer = ListWriter.of(reader, tokenizer, prompts, histories, config)
    parts = draft / "parts"
    parts.mkdir(exist_ok=True)
    make = {"rate": lambda table: readout_table(reader, table), "recommend": writer.table}
    users = sum(n for name, n in notes["examples"].items() if not name.startswith("train"))
    with progress("predict", users, "users") as bar:
        for part in parts_of(prompts, config.users_per_part):
            finish_part(parts, part, make[part.kind])
            bar.update(len(part.examples))
    readouts = joined(parts, "rate", READOUT).sort("fold", "user_id", "film_id")
    calibration = calibration_of(readouts, trie.scale, histories, calibrated)
    ratings = rating_table(readouts, calibration, trie.scale, config.predictor)
    if calibrated is None:
        log_p = matrix_of(readouts["log_p"], len(trie.scale))
        ratings = pl.concat([ratings, greedy_table(ratings, log_p, trie)])
    ratings.write_parquet(draft / "ratings.parquet")
    lists = list_table(joined(parts, "recommend", LIST), config.predictor)
    lists.write_parquet(draft / "lists.parquet")
    (draft / "calibration.json").write_text(json.dumps(calibration.json(), indent=1))
    shutil.rmtree(parts)
    return {
        "predictor": config.predictor,
        "calibration": calibration.json(),
        **{key: notes.get(key) for key in ("dataset", "scale", "protocol")},
    }
