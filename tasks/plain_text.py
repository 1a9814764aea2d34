"""Shows control and format characters of text from data, so that it cannot act on a terminal."""

import json
import unicodedata
from typing import Any

MAX_LENGTH = 300  # characters of a title, and of the genres of a film; MovieLens' have 160
JOINERS = "\u200c\u200d"  # format characters that words and emoji are spelt with
# Control, format, unpaired surrogate, U+2028, U+2029.
ACTING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def escape_control(text: str, keep: str = "") -> str:
    r"""Write each character that acts but does not show as `\x1b` or `\u202e`.

    Those are C0 and C1 controls with tab and line breaks, marks of direction, invisible characters
    and separators of lines; those in `keep`, and the two joiners, stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        ascii(character)[1:-1] if _acts(character) and character not in keep else character
        for character in text
    )


def dump_json(value: Any) -> str:  # noqa: ANN401
    """JSON in which only characters that act are escaped: read again, it is the same value."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return "".join(
        json.dumps(character)[1:-1] if character != "\n" and _acts(character) else character
        for character in text
    )


def escape_markdown(text: str) -> str:
    """Text on one line of Markdown, in which no character formats or links."""
    special = set("\\`*_{}[]<>()#+!|~&$")
    return "".join(f"\\{c}" if c in special else c for c in escape_control(text))


def _acts(character: str) -> bool:
    return unicodedata.category(character) in ACTING and character not in JOINERS
