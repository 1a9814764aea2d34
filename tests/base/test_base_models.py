import pytest

from tasks.base.pretrained import fetch_tokenizer
from tasks.base_models import BASE_MODELS, find_base_model


def test_every_base_model_has_one_source_and_a_licence():
    for name, model in BASE_MODELS.items():
        assert model.name == name
        assert model.licence
        sources = [
            model.from_scratch,
            bool(model.repository),
            bool(model.wheel),
            bool(model.folder),
        ]
        assert sum(sources) == 1


def test_no_two_entries_are_the_same_model():
    identities = [str(sorted(model.identity.items())) for model in BASE_MODELS.values()]
    assert len(set(identities)) == len(identities)


def test_a_hub_id_may_name_its_commit():
    model = find_base_model("someone/some-model@0123abc")
    assert (model.repository, model.revision) == ("someone/some-model", "0123abc")


def test_a_folder_is_identified_by_its_bytes(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    before = find_base_model(str(tmp_path)).identity
    (tmp_path / "config.json").write_text("{ }")
    assert find_base_model(str(tmp_path)).identity != before


def test_an_error_about_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match='no base model "blum": there are bloom-1b1'):
        find_base_model("blum")


def test_without_a_network_the_error_names_the_model_and_the_way_on(tmp_path, monkeypatch):
    model = find_base_model("bloom-560m")
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", _unreachable)
    with pytest.raises(
        FileNotFoundError, match=r"^bigscience/bloom-560m@ac2ae5f\w+ could not be"
    ) as e:
        fetch_tokenizer(tmp_path, model, tmp_path)
    assert "(Connection refused)" in str(e.value)
    assert str(e.value).endswith("--local-dir FOLDER`, and set base.name to that folder")
    assert "\n" not in str(e.value)


def _unreachable(*_args, **_options):
    raise RuntimeError("Connection refused")  # httpx's ConnectError is no OSError either
