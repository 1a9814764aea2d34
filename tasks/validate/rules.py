"""What the data is held to: one rule a line, as the condition that a bad row fulfils.

A condition is DuckDB's SQL over the columns of the row, and over what `sift` adds to them: a film's
`first_line` in its file, a rating's `film_is_known` and `now`. The one row of `night` is all of the
data: `rows` and the share of ratings that moved to other stars (`shift`) beside the last night's,
and the ratings of the last day beside those of a `usual_day` of the four weeks before.
A bad row is set aside, warned about, or stops the night.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["set aside", "warn", "stop"]
Relation = Literal["ratings", "films", "night"]
GENRES = (
    "Action|Adventure|Animation|Children|Children's|Comedy|Crime|Documentary|Drama|Fantasy|"
    "Film-Noir|Horror|IMAX|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
)


@dataclass(frozen=True)
class Rule:
    """A row of `relation` for which `bad` holds, or cannot be told, breaks the rule."""

    name: str
    relation: Relation
    severity: Severity
    sentence: str
    bad: str


# fmt: off
RULES = (
    Rule("film_ids", "films", "set aside", "the id of a film is positive", "film_id < 1"),
    Rule("title", "films", "set aside", "a film has a title", "trim(title) = ''"),
    Rule("title_form", "films", "set aside", "a title is one line of text", r"regexp_matches(title, '[\x00-\x1f\x7f]|\x{FFFD}')"),
    Rule("one_film", "films", "set aside", "a film id stands for one film of a file", "line > first_line"),
    Rule("year", "films", "warn", "the year of a film is known", "year is null"),
    Rule("year_range", "films", "warn", "a film is from 1870 or later, and of this decade at the latest", "coalesce(year, 2000) not between 1870 and year(now) + 9"),
    Rule("genres", "films", "warn", "the genres of a film are listed", "genres = ''"),
    Rule("known_genres", "films", "warn", "the genres of a film are MovieLens'", f"genres <> '' and not regexp_full_match(genres, '(({GENRES.replace(chr(39), chr(39) * 2)})(\\||$))+')"),
    Rule("ids", "ratings", "set aside", "ids are positive", "user_id < 1 or film_id < 1"),
    Rule("range", "ratings", "set aside", "a rating has half a star to 5", "rating not between 0.5 and 5"),
    Rule("step", "ratings", "set aside", "a rating is in half stars", "rating * 2 <> floor(rating * 2)"),
    Rule("past", "ratings", "set aside", "a rating is from 1995 or later", "rated_at < timestamptz '1995-01-01 00:00:00+00'"),
    Rule("future", "ratings", "set aside", "a rating is not from the future", "rated_at > now"),
    Rule("film", "ratings", "set aside", "a rated film is among the films", "not film_is_known"),
    Rule("fewer", "night", "warn", "there are no fewer ratings than last night", "rows < rows_before"),
    Rule("shift", "night", "warn", "stars are given as often as last night, but for one in twenty", "shift > 0.05"),
    Rule("volume", "night", "warn", "the last day is like those of the four weeks before it", "last_day not between usual_day / 20 and usual_day * 20"),
)
# fmt: on
