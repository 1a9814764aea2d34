"""Reads one producer's files into typed columns; a line that cannot be typed becomes a reject."""

import csv
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tasks.ingest.fetch import SourceError
from tasks.ingest.sources import LAYOUTS, Kind, Layout

YEAR = r"\((\d{4})\)\s*$"


@dataclass(frozen=True)
class Typed:
    """Rows that could be typed, and those that could not, with the reason."""

    rows: pl.DataFrame
    rejects: pl.DataFrame


def recognised(folder: Path) -> tuple[str, dict[Kind, Path]]:
    """The layout's name and its files, told from the names and headers in the folder.

    Raises SourceError where no layout fits.
    """
    for name, layout in LAYOUTS.items():
        files = {kind: next(iter(sorted(folder.glob(p))), None) for kind, p in layout.files.items()}
        if all(files.values()) and all(
            set(_columns(layout, kind)) <= set(_header(file, layout))
            for kind, file in files.items()
            if file
        ):
            return name, {kind: file for kind, file in files.items() if file}
    wanted = "; ".join(f"{n}: {', '.join(of.files.values())}" for n, of in LAYOUTS.items())
    found = ", ".join(sorted(f.name for f in folder.iterdir())) or "nothing"
    raise SourceError(f"no known layout in {folder}: it holds {found}, and known are {wanted}")


def read_ratings(file: Path, layout: Layout, source: int) -> Typed:
    """user_id, film_id, rating, rated_at (UTC), source, line; in file order."""
    user, film, rating, time = (pl.col(name) for name in layout.ratings)
    moment = (
        time.cast(pl.Float64, strict=False).cast(pl.Int64, strict=False) * 1_000_000
        if layout.time == "seconds"
        else time.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False).dt.timestamp("us")
    )
    typed = _text(file, layout).select(
        pl.col("line"),
        user_id=user.cast(pl.Int32, strict=False),
        film_id=film.cast(pl.Int32, strict=False),
        rating=rating.cast(pl.Float32, strict=False),
        rated_at=moment.cast(pl.Datetime("us", "UTC")),
        source=pl.lit(source, pl.UInt16),
    )
    return _parted(typed, "ratings", source, ["user_id", "film_id", "rating", "rated_at"])


def read_films(file: Path, layout: Layout, source: int) -> Typed:
    """film_id, title with its year in brackets, year, genres joined by |; in file order."""
    film, title, genres, *year = (pl.col(name) for name in layout.films)
    own_year = year[0].cast(pl.Int16, strict=False) if year else pl.lit(None, pl.Int16)
    in_title = title.str.extract(YEAR).cast(pl.Int16, strict=False)
    dated = pl.when(in_title.is_null() & own_year.is_not_null()).then(
        pl.concat_str(title, pl.lit(" ("), own_year, pl.lit(")"))
    )
    typed = _text(file, layout).select(
        pl.col("line"),
        film_id=film.cast(pl.Int32, strict=False),
        title=dated.otherwise(title),
        year=pl.coalesce(in_title, own_year),
        genres=genres.fill_null("")
        .str.replace_all(layout.genres_parted_by, "|", literal=True)
        .replace("(no genres listed)", ""),
        source=pl.lit(source, pl.UInt16),
    )
    return _parted(typed, "films", source, ["film_id", "title"])


def _columns(layout: Layout, kind: Kind) -> tuple[str, ...]:
    return layout.ratings if kind == "ratings" else layout.films


def _header(file: Path, layout: Layout) -> list[str]:
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as opened:
        return next(csv.reader(opened, delimiter=layout.separator), [])


def _text(file: Path, layout: Layout) -> pl.LazyFrame:
    """Every field as text, with its line; the header is line 1."""
    quote = '"' if layout.separator == "," else None
    table = pl.scan_csv(
        file,
        separator=layout.separator,
        infer_schema=False,
        quote_char=quote,
        encoding="utf8-lossy",
    )
    return table.with_row_index("line", offset=2)


def _parted(typed: pl.LazyFrame, relation: str, source: int, needed: list[str]) -> Typed:
    """Rows that have all they need, and rejects that say what they lack."""
    table = typed.collect()
    lacking = pl.concat_list(pl.when(pl.col(n).is_null()).then(pl.lit(n)) for n in needed)
    marked = table.with_columns(lacking=lacking.list.drop_nulls().list.join(", "))
    bad = marked.filter(pl.col("lacking") != "")
    rejects = bad.select(
        relation=pl.lit(relation),
        source=pl.lit(source, pl.UInt16),
        line="line",
        rule=pl.lit("typed"),
        detail=pl.format("no {} can be read", pl.col("lacking")),
    )
    return Typed(marked.filter(pl.col("lacking") == "").drop("lacking"), rejects)
