"""Lays typed settings over defaults, leaf by leaf; names that do not exist are refused."""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

Profile = Literal[
    "laptop", "laptop-long", "legacy", "legacy-fair", "nightly", "pretrained", "smoke"
]  # fmt: skip


class SettingsError(ValueError):
    """A profile, or an override, that cannot be; or a machine that it cannot run on."""


_FIT = {
    "step_tokens": "tokens_per_step",
    "step_examples": "examples_per_step",
    "row_tokens": "pack_length",
    "rows_at_once": "micro_batch_rows",
    "forward": "attention",
    "recompute": "gradient_checkpointing",
    "clip": "max_grad_norm",
}
_OBJECTIVE = {
    "rating": "vocab_ce",
    "scale": "scale_ce",
    "squared": "mse",
    "answer": "answer_ce",
    "text": "text_ce",
}
MORE = "more"  # a field of the form in Prefect's UI, and no setting
EXAMPLE = '{"train": {"fit": {"patience": 3}}, "score": {"ks": [5, 10]}}'
_TO_DECODE = ("list_length", "decoding", "beams", "temperature", "seed")
RENAMED = {  # old dotted name of a setting or a section: today's
    "cluster": "dask_address",
    "margins": "promotion",
    "probe": "ablation",
    "recall": "memorization",
    "wait": "wait_for_lock",
    "ablation.spoilings": "ablation.perturbations",
    "baseline.listed": "baseline.list_models",
    "baseline.rated": "baseline.rating_models",
    "baseline.sweeps": "baseline.iterations",
    "baseline.tune": "baseline.tuning.models",
    "free_text.rows_at_once": "free_text.micro_batch_rows",
    "free_text.users_per_part": "free_text.users_per_batch",
    "predict.cluster": "inference.dask_address",
    "predict.row_tokens": "inference.pack_length",
    "predict.rows_at_once": "inference.micro_batch_rows",
    "predict.users_per_part": "inference.users_per_batch",
    "predict.workers": "inference.workers",
    "prompt.cluster": "prompt.dask_address",
    "prompt.choice": "prompt.context_selection",
    "prompt.facts_as_of": "prompt.features_as_of",
    "prompt.guess": "prompt.prior",
    "prompt.step": "prompt.stride",
    "prompt.template.asked": "prompt.template.target_separator",
    "prompt.template.by_line": "prompt.template.tokenize_per_line",
    "prompt.template.facts": "prompt.template.features",
    "prompt.template.shown": "prompt.template.context_separator",
    "prompt.windows": "prompt.max_windows",
    "score.cluster": "score.dask_address",
    "train.cluster": "train.dask_address",
    "validation.most_set_aside": "validation.max_quarantined",
    **{f"predict.{name}": f"decode.{name}" for name in _TO_DECODE},
    **{
        f"{section}.{part}.{old}": f"{section}.{part}.{new}"
        for section in ("train", "base.mini")
        for part, names in (("fit", _FIT), ("objective", _OBJECTIVE))
        for old, new in names.items()
    },
}


def overlay(defaults: BaseModel, changes: Any, path: str = "") -> dict[str, Any]:  # noqa: ANN401
    """The fields of `defaults`, with `changes` (nested mappings) in their place.

    A section keeps what `changes` does not name, and goes where it may be null and is set so. Where
    `changes` names another member of a tagged union, that member's own defaults apply. Raises
    SettingsError for a setting that does not exist.
    """
    if not isinstance(changes, Mapping):
        raise SettingsError(f"{path or 'overrides'}: expected a section, found {changes!r}")
    merged = dict(defaults)
    for name, value in changes.items():
        here = f"{path}.{name}".lstrip(".")
        if name not in merged:
            raise SettingsError(_no_setting(here, list(merged)))
        current = merged[name]
        ends = value is None and _may_be_null(defaults, name)
        if isinstance(current, BaseModel) and not (ends or _switches(current, value)):
            value = overlay(current, value, here)
        merged[name] = value
    return merged


def leaves(settings: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Dotted name and value of every setting in nested models or mappings."""
    for name, value in dict(settings).items():
        here = f"{path}.{name}".lstrip(".")
        if isinstance(value, BaseModel | Mapping):
            yield from leaves(value, here)
        else:
            yield here, value


def parse(assignments: Sequence[str]) -> dict[str, Any]:
    """Nested overrides of `split.ties=film`; the value is JSON or TOML where it can be, else text.

    Raises SettingsError for what is no assignment.
    """
    nested: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        *sections, last = name.strip().split(".")
        if not equals or not all((*sections, last)):
            raise SettingsError(f'"{assignment}" sets nothing: type it like train.fit.epochs=2')
        section = nested
        for part in sections:
            section = section.setdefault(part, {})
            if not isinstance(section, dict):
                raise SettingsError(f'"{assignment}": {part} has a value already')
        section[last] = _value(text)
    return nested


def read_form(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Nested overrides, with those typed as JSON into the field `more` below them.

    Raises SettingsError where that field holds no JSON object.
    """
    merged = dict(overrides)
    text = merged.pop(MORE, None) or "{}"
    try:
        rest = json.loads(text)
    except (TypeError, ValueError):
        rest = None
    if not isinstance(rest, dict):
        raise SettingsError(f"overrides.{MORE}: expected JSON such as {EXAMPLE}, found {text!r}")
    return _merge(rest, merged)


def with_data(overrides: Mapping[str, Any] | None, data: str | None) -> dict[str, Any]:
    """The overrides, with `ingest.data` among them where a source is named."""
    merged = dict(overrides or {})
    if data:
        merged["ingest"] = dict(merged.get("ingest", {})) | {"data": data}
    return merged


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merge(merged[name], value) if both else value
    return merged


def _value(text: str) -> Any:  # noqa: ANN401
    for loads in (json.loads, lambda toml: tomllib.loads(f"value = {toml}")["value"]):
        try:
            return loads(text)
        except ValueError:
            continue
    return text


def _may_be_null(owner: BaseModel, name: str) -> bool:
    return NoneType in get_args(type(owner).model_fields[name].annotation)


def _switches(current: BaseModel, value: Any) -> bool:  # noqa: ANN401
    """Whether a value names another member of the union that `current` is a member of."""
    return isinstance(value, Mapping) and any(
        value.get(name, tag) != tag
        for name, tag in current
        if get_origin(annotation := type(current).model_fields[name].annotation) is Literal
        and len(get_args(annotation)) == 1
    )


def _no_setting(path: str, known: list[str]) -> str:
    """Says what a setting is called today, or which there are."""
    if new := RENAMED.get(path):
        return f"the setting {path} is called {new} now"
    *sections, name = path.split(".")
    likely = [".".join([*sections, match]) for match in get_close_matches(name, known, n=1)]
    hint = f"did you mean {likely[0]}?" if likely else f"there are {', '.join(sorted(known))}"
    return f"no setting {path}: {hint}"
