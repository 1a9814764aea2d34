"""Checks a data set without a run: ingest, validate and split into a store that is deleted."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from flows.prepare import check_size
from flows.settings import Settings
from flows.tables import plain
from tasks.ingest.task import ingest_ratings
from tasks.prior.sample import choose_users
from tasks.split.task import split_ratings
from tasks.store.artifacts import RawRatings, SplitRatings, ValidatedRatings
from tasks.store.store import Store
from tasks.validate.enforce_limits import UnfitDataError
from tasks.validate.rules import RULES
from tasks.validate.task import Validate, validate_ratings

COUNTS = ("read", "kept", "deduplicated", "quarantined")
SENTENCES = {rule.name: rule.sentence for rule in RULES} | {"typed": "a row can be typed"}


@dataclass
class DataCheck:
    """What a run would find in a data set; `error` is the line with which it would stop."""

    data: str
    error: str | None = None
    files: list[dict[str, Any]] = field(default_factory=list)  # name, relation, format, COUNTS
    quarantine: list[dict[str, Any]] = field(default_factory=list)  # a rule each, with a row
    warnings: list[str] = field(default_factory=list)
    ratings: dict[str, Any] = field(default_factory=dict)
    split: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Every figure, and whether a run could start."""
        return {"ok": self.error is None, **asdict(self)}


def check_data(settings: Settings) -> DataCheck:
    """Ingest, validate and split; stop where a run would. Files in data/incoming are not read."""
    check = DataCheck(settings.ingest.data)
    with tempfile.TemporaryDirectory(prefix="advisor-check-") as folder, _collect(check.warnings):
        try:
            _check(check, settings, Store(Path(folder)))
        except (UnfitDataError, ValueError) as error:  # SourceError and DegenerateSplitError, too
            check.error = " ".join(str(error).split())
    check.warnings = list(dict.fromkeys(check.warnings))  # unfit data are validated twice
    return check


@contextmanager
def _collect(warnings: list[str]) -> Iterator[None]:
    """Append what the stages warn of."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warnings.append(record.getMessage())

    logger, collector = logging.getLogger("tasks"), Collector(logging.WARNING)
    logger.addHandler(collector)
    try:
        yield
    finally:
        logger.removeHandler(collector)


def _check(check: DataCheck, settings: Settings, store: Store) -> None:
    raw = ingest_ratings.fn(config=settings.ingest, store=store)
    check.files = [
        {
            "name": source["name"],
            "relation": source["relation"],
            "format": source["layout"],
            "read": source["rows"] + source["rejected"],
        }
        for source in raw.metadata["sources"]
    ]
    try:
        ratings = validate_ratings.fn(raw, config=settings.validation, store=store)
    except UnfitDataError:
        _describe_unfit(check, raw, store)
        raise
    _describe_rows(check, ratings)
    check.ratings = _describe_ratings(ratings)
    check_size(settings, ratings)
    split = split_ratings.fn(ratings, config=settings.split, store=store)
    check.split = _describe_split(split)
    if settings.prior.model != "none":
        choose_users(split, settings.prior)


def _describe_unfit(check: DataCheck, raw: RawRatings, store: Store) -> None:
    """Describe the quarantine of data that have too much in it; without a row left, the rejects."""
    try:
        lenient = validate_ratings.fn(raw, config=Validate(max_quarantined=1), store=store)
    except UnfitDataError:
        names = {place: file["name"] for place, file in enumerate(check.files)}
        named = pl.col("source").replace_strict(names, return_dtype=pl.String)
        check.quarantine = _count_rules(raw.scan("rejects").with_columns(named).collect())
    else:
        _describe_rows(check, lenient)


def _describe_rows(check: DataCheck, ratings: ValidatedRatings) -> None:
    metadata = ratings.metadata
    counts = {(file["name"], file["relation"]): file for file in metadata["files"]}
    for file in check.files:
        found = counts.get((file["name"], file["relation"]), {})
        file.update({name: found.get(name, 0) for name in COUNTS})
    check.quarantine = _count_rules(ratings.scan("quarantine").collect())


def _count_rules(quarantine: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows by relation and violated rule, most first, with the first row of each."""
    rules = quarantine.sort("source", "line").group_by("relation", "rule", maintain_order=True)
    counted = rules.agg(pl.len().alias("rows"), pl.col("source", "line", "detail").first())
    named = counted.with_columns(pl.col("rule").replace(SENTENCES))
    return named.sort("rows", descending=True, maintain_order=True).to_dicts()


def _describe_ratings(ratings: ValidatedRatings) -> dict[str, Any]:
    """Scale, users, rated films, and the days from the first to the last rating, both counted."""
    rated_at = pl.col("rated_at")
    found = ratings.scan("ratings").select(
        users=pl.col("user_id").n_unique(),
        films=pl.col("film_id").n_unique(),
        first_day=rated_at.min().dt.date(),
        last_day=rated_at.max().dt.date(),
    )
    row = found.collect().row(0, named=True)
    days = (row["last_day"] - row["first_day"]).days + 1
    days_as_text = {name: str(row[name]) for name in ("first_day", "last_day")}
    return {"scale": ratings.metadata["scale"], **row, **days_as_text, "days": days}


def _describe_split(split: SplitRatings) -> dict[str, Any]:
    metadata = split.metadata
    counts: dict[str, int] = metadata["ratings"]
    return {
        "protocol": metadata["protocol"],
        "train_ratings": sum(n for name, n in counts.items() if name.startswith("train ")),
        "validation_targets": counts.get("validation target", 0),
        "test_targets": counts.get("test target", 0),
    }


def print_check(check: DataCheck) -> None:
    """Print what was found as tables. Text of the data is printed as it is, markup included."""
    console = Console(width=100)
    if check.files:
        console.print(_table(check.files, ("name", "relation", "format", *COUNTS)))
    if check.quarantine:
        console.print("\nin quarantine, by violated rule, with the first row of each")
        console.print(_table(check.quarantine, tuple(check.quarantine[0])))
    for line in _summary(check):
        console.print(plain(line, keep="\n"), highlight=False, soft_wrap=True)


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        is_number = isinstance(rows[0].get(name), int)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(plain(row.get(name)) for name in columns))
    return table


def _summary(check: DataCheck) -> Iterator[str]:
    if check.warnings:
        yield "\n" + "\n".join(f"warning: {warning}" for warning in check.warnings)
    if ratings := check.ratings:
        scale = ratings["scale"]
        yield (
            f"\nratings: {scale[0]:g} to {scale[-1]:g} in steps of {scale[1] - scale[0]:g}, "
            f"by {ratings['users']} users of {ratings['films']} films, "
            f"{ratings['first_day']} to {ratings['last_day']} ({ratings['days']} days)"
        )
    if split := check.split:
        yield (
            f"split {split['protocol']}: {split['train_ratings']} ratings to train on, "
            f"{split['validation_targets']} validation targets, "
            f"{split['test_targets']} test targets"
        )
        yield "a run can start"
