"""Cells, headings and titles of printed tables: text from data is printed as it is."""

from rich.text import Text

from tasks.plain_text import escape_control


def plain(value: object, keep: str = "") -> Text:
    """A value without markup and with control characters escaped, but for those in `keep`.

    Numbers to four places; empty for null.
    """
    if isinstance(value, float):
        return Text(f"{value:.4f}".rstrip("0").rstrip("."))
    return Text("" if value is None else escape_control(str(value), keep))
