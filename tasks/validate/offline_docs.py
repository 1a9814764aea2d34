"""Makes pages of Data Docs load nothing: Great Expectations' own bring scripts from six hosts."""

import re
from html import escape
from pathlib import Path

LOADS = re.compile(
    r"<script\b.*?</script\s*>|<(?:link|img|source)\b[^>]*https?://[^>]*>", re.I | re.S
)
# What a later version may load in another way is not loaded either.
POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "style-src 'unsafe-inline' 'self' file:; img-src 'self' file: data:; font-src 'self' file:\">"
)
INDEX = "<!doctype html><html><head>{policy}<title>Data Docs</title></head><body><h1>The checks of \
the data</h1><ul>{links}</ul></body></html>\n"


def make_offline(docs: Path) -> None:
    """Remove scripts and files of other hosts from all pages; list the pages in the index.

    The index of Great Expectations is empty without its scripts.
    """
    pages = sorted(page for page in docs.rglob("*.html") if page.parent != docs)
    for page in pages:
        text = LOADS.sub("", page.read_text())
        page.write_text(re.sub("<head>", f"<head>{POLICY}", text, count=1))
    names = [page.relative_to(docs).as_posix() for page in pages]
    links = [
        f'<li><a href="{escape(name)}">{escape(" of ".join(name.split("/")[:2]))}</a></li>'
        for name in names
    ]
    (docs / "index.html").write_text(INDEX.format(policy=POLICY, links="".join(links)))
