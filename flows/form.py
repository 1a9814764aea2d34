"""The settings that people change, as fields of the form in which Prefect's UI starts a run.

The UI has no field for a bare mapping. These have a type, bounds and a description, each that of
the setting; all others are typed as JSON into one field more.
"""

from functools import cache
from typing import Annotated, Any

import pydantic

from flows.overrides import EXAMPLE, MORE
from flows.settings import Settings
from flows.settings_reference import field_docstrings
from tasks.split.task import Split

FIELDS = (
    "ingest.as_of",
    "split.protocol",
    "split.n",
    "base.name",
    "prompt.context_films",
    "train.fit.epochs",
    "train.fit.learning_rate",
    "train.fit.seed",
    "train.lora.r",
    "train.warm_start",
    "retrieve.candidates",
    "ablation.perturbations",
    "score.resamples",
    "promotion.rmse",
    "promotion.ndcg",
    "promotion.ask_within",
    "serving.nightly",
    "max_hours",
    "wait_for_lock",
)
PROTOCOL = "Which ratings are targets; each protocol has settings of its own."


def form_schema() -> dict[str, Any]:
    """The JSON schema of nested overrides: a field for each of FIELDS, and one for the rest."""
    form: dict[str, Any] = _section("Settings over the profile's. What is left empty stays.")
    for path in FIELDS:
        *sections, name = path.split(".")
        place, owner = form, Settings()
        for section in sections:
            owner = getattr(owner, section)
            about = (type(owner).__doc__ or "").split("\n\n")[0]
            place = place["properties"].setdefault(section, _section(about))
        place["properties"][name] = _field(type(owner), name)
    more = f"Any other settings, as JSON: {EXAMPLE}. docs/configuration.md lists all."
    form["properties"][MORE] = {"type": "string", "title": MORE, "description": more}
    return form


def _section(description: str) -> dict[str, Any]:
    about = " ".join(description.split())
    return {"type": "object", "title": "", "description": about, "properties": {}}


def _field(owner: type[pydantic.BaseModel], name: str) -> dict[str, Any]:
    """The schema of one setting without its default: that of the profile is not known here."""
    schema = dict(_properties(owner)[name])
    kinds = [kind for kind in schema.pop("anyOf", [{}]) if kind.get("type") != "null"]
    if name == "protocol":  # of one member of the union; here any can be chosen
        mapping = pydantic.TypeAdapter(Split).json_schema()["discriminator"]["mapping"]
        kinds = [{"type": "string", "enum": sorted(mapping)}]
    if schema.get("type") == "boolean":  # a toggle sends false where nobody touched it
        del schema["type"]
        kinds = [{"enum": [True, False]}]
    about = " ".join(field_docstrings(owner).get(name, PROTOCOL).split())
    schema |= {**kinds[0], "title": name, "description": about}
    return {key: value for key, value in schema.items() if key not in ("default", "const")}


@cache
def _properties(owner: type[pydantic.BaseModel]) -> dict[str, Any]:
    return dict(owner.model_json_schema()["properties"])


Overrides = Annotated[dict[str, Any], pydantic.WithJsonSchema(form_schema())]
UNCHANGED: Overrides = {}  # the form would send null, where it may send nothing
