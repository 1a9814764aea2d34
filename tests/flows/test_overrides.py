"""An override changes the setting that it names and no other: every setting, every profile."""

from typing import Any, get_args

import pytest

from flows.overrides import RENAMED, SettingsError, leaves, parse
from flows.settings import Profile, Settings, load
from tasks.split.protocols import GlobalTime

TAGS = {"split.protocol", "second_split.protocol", "prompt.template.wording"}  # exchange sections
SPREAD = {"dask_address"}  # changing it changes the stages that share


@pytest.fixture(autouse=True)
def means(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which every profile can be loaded."""
    monkeypatch.setattr("flows.settings.find_gpu", lambda: "one with enough memory")
    monkeypatch.setattr("flows.settings.find_entry_point", lambda name: name)


def nested(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def test_a_section_that_may_be_null_goes_and_others_stay() -> None:
    assert load("laptop").second_split is not None
    assert load("laptop", parse(["second_split=null"])).second_split is None
    with pytest.raises(SettingsError, match="train: expected a section, found None"):
        load("laptop", parse(["train=null"]))


CANDIDATES = (
    True, False, 0, 0.5, 1, 2, 5, 100, 300, 4096, 20_000, None, "a-name", "film", "2018-09-17",
    "tcp://10.0.0.1:8786", ["llm"], ["bias"], ["ease"], ["rate"], ["empty"], ["prior"], ["guess"],
    [5], [0.9, 0.99], "top", "targets", "given", "rating", "bias", "beam", "all-linear", "linear",
    "tokens", "plain", "bloom-560m",
)  # fmt: skip


def changed(profile: str, path: str, before: dict[str, Any]) -> dict[str, Any] | None:
    """All settings, with another value for one; None where no candidate is a valid one."""
    for value in CANDIDATES:
        try:
            after = dict(leaves(load(profile, nested(path, value))))
        except SettingsError:
            continue
        if after[path] != before[path]:
            return after
    return None


@pytest.mark.parametrize("profile", get_args(Profile))
def test_an_override_of_one_setting_leaves_all_others(profile: str) -> None:
    before = dict(leaves(load(profile)))
    unchanged = []
    for path in before.keys() - TAGS - SPREAD:
        if (after := changed(profile, path, before)) is None:
            unchanged.append(path)
            continue
        assert {name for name in before if after.get(name) != before[name]} == {path}
        assert after.keys() - before.keys() == set()
    assert len(unchanged) < len(before) / 20, unchanged


def test_one_number_of_training_leaves_defaults_that_are_objects() -> None:
    fit = load("laptop", {"train": {"fit": {"epochs": 1}}}).train.fit
    assert fit == load("laptop").train.fit.model_copy(update={"epochs": 1.0})
    assert fit.learning_rate == 5e-4


def test_another_member_of_a_union_has_its_own_defaults() -> None:
    assert load("smoke", {"split": {"protocol": "global-time"}}).split == GlobalTime()
    settings = load("smoke", {"split": {"protocol": "global-time", "ties": "film"}})
    assert settings.split == GlobalTime(ties="film")
    legacy = load("legacy", {"prompt": {"template": {"wording": "original"}}})
    assert legacy == load("legacy")


def test_an_old_name_is_refused_with_the_new_one() -> None:
    with pytest.raises(SettingsError, match="the setting margins is called promotion now"):
        load("smoke", {"margins": {"ndcg": 0.05}})
    known = {name for profile in get_args(Profile) for name, _ in leaves(load(profile))}
    known |= set(Settings.model_fields)
    sections = {name.rpartition(".")[0] for name in known}
    for old, new in RENAMED.items():
        assert old not in known | sections, f"{old} is still a setting"
        assert new in known | sections, f"{new} is no setting"
        with pytest.raises(SettingsError, match=f"the setting {old} is called {new} now"):
            load("legacy", nested(old, 1))


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("a.b=film", "film"),
        ("a.b=2", 2),
        ("a.b=1e-3", 1e-3),
        ("a.b=true", True),
        ("a.b=null", None),
        ('a.b=["llm", "bias"]', ["llm", "bias"]),
        ('a.b={ wording = "original" }', {"wording": "original"}),
        ("a.b=x=y", "x=y"),
        ("a.b=", ""),
    ],
)
def test_a_typed_value_is_json_or_toml_where_it_can_be(assignment: str, value: object) -> None:
    assert parse([assignment]) == {"a": {"b": value}}


@pytest.mark.parametrize("wrong", ["", "a", "=1", "a..b=1", ".a=1"])
def test_what_sets_nothing_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match="sets nothing: type it like"):
        parse([wrong])
    with pytest.raises(SettingsError, match="a has a value already"):
        parse(["a=1", "a.b=2"])
