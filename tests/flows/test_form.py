"""The form of a run has a field for each setting that people change, and takes all others."""

import jsonschema
import pytest

from flows.backfill import backfill
from flows.form import FIELDS, form_schema
from flows.gc import gc
from flows.nightly import nightly
from flows.overrides import SettingsError
from flows.recommend import recommend
from flows.recommend_all import recommend_all
from flows.rescore import rescore
from flows.rollback import rollback
from flows.settings import load

FLOWS = (nightly, backfill, rescore, recommend, recommend_all, rollback, gc)


def fields(schema, path=""):
    """Dotted name and schema of each field."""
    for name, part in schema["properties"].items():
        if part.get("type") == "object":
            yield from fields(part, f"{path}{name}.")
        else:
            yield path + name, part


def test_a_field_has_a_type_a_description_and_the_settings_bounds():
    found = dict(fields(form_schema()))
    assert set(found) == {*FIELDS, "more"}
    for name, part in found.items():
        assert part["description"], name
        assert part.get("type", "choice") in ("string", "integer", "number", "array", "choice"), (
            name
        )
        assert "default" not in part, name
    assert found["serving.nightly"]["enum"] == [True, False]  # a toggle sends false untouched
    assert found["train.fit.epochs"]["exclusiveMinimum"] == 0
    assert found["split.n"]["minimum"] == 1
    assert "global-time" in found["split.protocol"]["enum"]
    assert found["ingest.as_of"]["format"] == "date"


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_parameter_is_described(flow):
    for name, part in flow.parameters.properties.items():
        assert part.get("description"), name


@pytest.mark.parametrize(
    ("flow", "typed"),
    [
        (nightly, {"overrides": {"train": {"fit": {"epochs": 0}}}}),
        (nightly, {"overrides": {"promotion": {"ask_within": 1}}}),
        (recommend, {"count": 0}),
        (gc, {"runs": -1}),
        (backfill, {"first": "2018-09-17", "last": "2018-09-18", "every_days": 0}),
    ],
)
def test_a_value_out_of_bounds_is_refused_where_it_is_typed(flow, typed):
    schema = flow.parameters.model_dump()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(typed, {k: v for k, v in schema.items() if k != "definitions"})


@pytest.mark.parametrize(
    "flow", [nightly, backfill, rescore, recommend_all], ids=lambda flow: flow.name
)
def test_a_form_in_which_nothing_is_typed_changes_nothing(flow):
    schema = flow.parameters.model_dump()
    sent = schema["properties"]["overrides"]["default"]  # as the browser has it
    jsonschema.validate(sent, schema["properties"]["overrides"])
    assert load("smoke", sent) == load("smoke")


def test_all_other_settings_are_typed_as_json_below_those_with_a_field():
    typed = {
        "train": {"fit": {"epochs": 2}},
        "more": '{"train": {"fit": {"epochs": 9, "patience": 3}}, "score": {"ks": [5]}}',
    }
    fit = load("laptop", typed).train.fit
    assert (fit.epochs, fit.patience, fit.learning_rate) == (2, 3, 5e-4)
    assert load("laptop", typed).score.ks == (5,)
    assert load("laptop", {"more": ""}) == load("laptop")


@pytest.mark.parametrize("text", ["{", "[1]", "2", 2])
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(SettingsError, match=r"overrides.more: expected JSON such as \{"):
        load("laptop", {"more": text})


def test_an_old_name_in_either_place_is_refused_with_the_new_one():
    for typed in ({"margins": {"ndcg": 1}}, {"more": '{"margins": {"ndcg": 1}}'}):
        with pytest.raises(SettingsError, match="the setting margins is called promotion now"):
            load("smoke", typed)
