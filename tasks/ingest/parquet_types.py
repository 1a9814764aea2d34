"""Reads the columns of Parquet files as the types that ratings and films need."""

from pathlib import Path

import polars as pl

from tasks.download import SourceError
from tasks.ingest.times import parse_seconds, parse_text

SPELLED = (pl.String, pl.Binary, pl.Categorical, pl.Enum)


class ParquetColumns:
    """Expressions over a file's columns, by their types. All raise SourceError for other types."""

    def __init__(self, file: Path) -> None:
        self.file, self.schema = file, pl.scan_parquet(file, glob=False).collect_schema()

    def integer(self, name: str) -> pl.Expr:
        """Whole numbers as int32; null for fractions and for what does not fit."""
        kind, column = self.schema[name], pl.col(name)
        if isinstance(kind, SPELLED):
            return self.text(name).str.strip_chars().cast(pl.Int32, strict=False)
        if isinstance(kind, pl.Decimal) or kind.is_float():
            column = column.cast(pl.Float64)
            return pl.when(column == column.floor()).then(column).cast(pl.Int32, strict=False)
        if kind.is_integer():
            return column.cast(pl.Int32, strict=False)
        raise self._error(name, "whole numbers")

    def number(self, name: str) -> pl.Expr:
        """Numbers as float32."""
        kind = self.schema[name]
        if isinstance(kind, SPELLED):
            return self.text(name).str.strip_chars().cast(pl.Float32, strict=False)
        if kind.is_numeric():
            return pl.col(name).cast(pl.Float32, strict=False)
        raise self._error(name, "numbers")

    def text(self, name: str) -> pl.Expr:
        """Text; binary is decoded as UTF-8, and the items of a list are joined by |."""
        kind, column = self.schema[name], pl.col(name)
        if isinstance(kind, SPELLED):
            return column.cast(pl.String, strict=False)
        if isinstance(kind, pl.List) and isinstance(kind.inner, SPELLED):
            return column.cast(pl.List(pl.String)).list.join("|")
        if isinstance(kind, pl.Null):
            return column.cast(pl.String)
        raise self._error(name, "text")

    def time(self, name: str) -> pl.Expr:
        """Timestamps, text, or seconds since 1970, as UTC; null past the year 9999."""
        kind, column = self.schema[name], pl.col(name)
        if isinstance(kind, pl.Datetime):
            if kind.time_zone is None:
                column = column.dt.replace_time_zone("UTC")
            return column.cast(pl.Datetime("us", "UTC"))
        if isinstance(kind, SPELLED):
            return parse_text(self.text(name))
        if kind.is_numeric():
            return parse_seconds(column)
        raise self._error(name, "timestamps, text or seconds since 1970")

    def _error(self, name: str, needed: str) -> SourceError:
        return SourceError(
            f'{self.file.name}: column "{name}" has the type {self.schema[name]}: it needs {needed}'
        )
