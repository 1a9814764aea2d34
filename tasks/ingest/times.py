"""Types times: seconds since 1970 or ISO 8601 text to UTC timestamps."""

import polars as pl

LAST_SECOND = 253_402_300_799  # of the year 9999


def parse_seconds(time: pl.Expr) -> pl.Expr:
    """Seconds since 1970 as UTC; null past the year 9999."""
    seconds = time.cast(pl.Int64, strict=False)
    possible = pl.when(seconds.abs() <= LAST_SECOND).then(seconds)
    return (possible * 1_000_000).cast(pl.Datetime("us", "UTC"))


def parse_text(time: pl.Expr) -> pl.Expr:
    """ISO 8601 with a blank or T; without an offset, in UTC. Null for a date without a time."""
    parts = time.str.extract_groups(
        r"^\s*(?<day>\d{4}-\d\d-\d\d)[ T](?<clock>\d\d:\d\d:\d\d(?:\.\d{1,9})?)"
        r"(?:Z|(?<offset>[+-]\d\d:?\d\d))?\s*$"
    )
    day, clock, offset = (parts.struct.field(name) for name in ("day", "clock", "offset"))
    text = pl.format("{}T{}{}", day, clock, offset.fill_null("+00:00"))
    return text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False)
