"""What the data is held to: one rule a line, as the condition that a bad row fulfils.

A condition is DuckDB's SQL over the columns of the row, and over what `sift` adds to them: a film's
`first_line`, a rating's `film_is_known` and `now`. A bad row is set aside, warned about, or stops
the night.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["set aside", "warn", "stop"]


@dataclass(frozen=True)
class Rule:
    """A row of `relation` for which `bad` holds breaks the rule."""

    name: str
    relation: Literal["ratings", "films"]
    severity: Severity
    sentence: str
    bad: str


# fmt: off
RULES = (
    Rule("title", "films", "set aside", "a film has a title", "trim(title) = ''"),
    Rule("one_film", "films", "set aside", "a film id stands for one film", "line > first_line"),
    Rule("year", "films", "warn", "the year of a film is known", "year is null"),
    Rule("genres", "films", "warn", "the genres of a film are listed", "genres = ''"),
    Rule("ids", "ratings", "set aside", "ids are positive", "user_id < 1 or film_id < 1"),
    Rule("range", "ratings", "set aside", "a rating has half a star to 5", "rating not between 0.5 and 5"),
    Rule("step", "ratings", "set aside", "a rating is in half stars", "rating * 2 <> floor(rating * 2)"),
    Rule("past", "ratings", "set aside", "a rating is from 1995 or later", "year(rated_at) < 1995"),
    Rule("future", "ratings", "set aside", "a rating is not from the future", "rated_at > now"),
    Rule("film", "ratings", "set aside", "a rated film is among the films", "not film_is_known"),
)
# fmt: on
