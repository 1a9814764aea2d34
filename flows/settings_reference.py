"""Writes the tables of all settings into docs/configuration.md, from the schema of Settings.

`python -m flows.settings_reference` rewrites everything below the page's mark.
"""

import ast
import inspect
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pydantic

from flows.settings import Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
MARK = "<!-- written by python -m flows.settings_reference: do not edit below -->\n"
HEADER = ("| setting | default | type and bounds | meaning |", "|---|---|---|---|")
FORMATS = {"date": "date", "date-time": "date and time (UTC)"}
BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
}
Schema = Mapping[str, Any]
Row = tuple[str, str, str, str]  # setting, default, type and bounds, meaning


def with_reference(text: str) -> str:
    """The text of the page with its generated part replaced."""
    return "\n".join([text.split(MARK)[0] + MARK.rstrip(), *_sections(), ""])


def described_schema() -> dict[str, Any]:
    """The JSON schema of Settings, each setting with the docstring under its field.

    pydantic's use_attribute_docstrings does the same at import, which takes each flow 0.27 s.
    """
    schema = Settings.model_json_schema()
    models = {model.__name__: model for model in _subclasses(pydantic.BaseModel)}
    for name, part in [("Settings", schema), *schema["$defs"].items()]:
        texts = field_docstrings(models[name]) if name in models else {}
        for field, own in part.get("properties", {}).items():
            own.setdefault("description", texts.get(field, ""))
    return schema


def setting_rows(name: str, schema: Schema, default: object, defs: Schema) -> Iterator[Row]:
    """One row per setting at or below `name`; a tagged union has the rows of all its members."""
    models = _models(schema, defs)
    if not models:
        yield f"`{name}`", _value(default), _type(schema), _line(schema.get("description", ""))
    tag = schema.get("discriminator", {}).get("propertyName")
    given = default if isinstance(default, Mapping) else {}
    if tag:
        tags = " or ".join(f"`{value}`" for value in schema["discriminator"]["mapping"])
        yield (
            f"`{name}.{tag}`",
            _value(given.get(tag)),
            tags,
            "Which of these to use; each has its own settings.",
        )
    for model in models:
        member = model["properties"][tag]["const"] if tag else None
        chosen = given if member is None or member == given.get(tag) else {}
        for key, part in model["properties"].items():
            if key != tag:
                value = chosen.get(key, part.get("default"))
                for row in setting_rows(f"{name}.{key}", part, value, defs):
                    yield (f"{row[0]} ({member})", *row[1:]) if member else row


def _sections() -> Iterator[str]:
    """Settings of the whole run first, then those of each stage under its own heading."""
    schema = described_schema()
    parts, defs = schema["properties"], schema["$defs"]
    rows = {name: list(setting_rows(name, p, p["default"], defs)) for name, p in parts.items()}
    alone = [name for name in parts if not _models(parts[name], defs)]
    yield from _table("Whole run", "", [row for name in alone for row in rows[name]])
    for name, part in parts.items():
        if name not in alone:
            off = " Off unless one of these is set." if part["default"] is None else ""
            yield from _table(f"`{name}`", _about(part, defs) + off, rows[name])


def _about(part: Schema, defs: Schema) -> str:
    """What a section is about: its field's description, or the first paragraph of its model's."""
    models = _models(part, defs)
    text = part.get("description") or (models[0]["description"] if len(models) == 1 else "")
    return _line(text.split("\n\n")[0])


def _line(text: str) -> str:
    return " ".join(text.split())


def _subclasses(base: type[Any]) -> Iterator[type[Any]]:
    """Classes of this project below a class."""
    for child in base.__subclasses__():
        yield from _subclasses(child)
        if child.__module__.partition(".")[0] in ("flows", "tasks"):
            yield child


def field_docstrings(model: type[Any]) -> dict[str, str]:
    """The string under each annotated field of a class and its bases."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if owner.__module__.partition(".")[0] in ("flows", "tasks"):
            (tree,) = ast.parse(inspect.getsource(owner)).body
            for field, below in pairwise(getattr(tree, "body", [])):
                match field, below:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        found[name] = text
    return found


def _table(title: str, about: str, rows: list[Row]) -> Iterator[str]:
    yield from ("", f"## {title}", "", *([about, ""] if about else []), *HEADER)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _models(schema: Schema, defs: Schema) -> list[Schema]:
    """The models that a field may hold; none where it holds a plain value."""
    choices = [schema, *schema.get("oneOf", []), *schema.get("anyOf", [])]
    found = [defs[c["$ref"].rsplit("/", 1)[1]] for c in choices if "$ref" in c]
    return [model for model in found if "properties" in model]


def _type(schema: Schema) -> str:
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        kinds = schema.get("prefixItems") or [schema["items"]]
        least = f", {schema['minItems']} or more" if {"items", "minItems"} <= set(schema) else ""
        return f"list of {' and '.join(map(_type, kinds))}{least}"
    name = FORMATS.get(schema.get("format", ""), str(schema.get("type", "any")))
    bounds = [text.format(schema[key]) for key, text in BOUNDS.items() if key in schema]
    return " ".join([name, ", ".join(bounds)]).strip()


def _value(value: object) -> str:
    """As it is written in TOML or after `--set`; a dash where nothing is the default."""
    return "–" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(with_reference(PAGE.read_text()))


if __name__ == "__main__":
    main()
