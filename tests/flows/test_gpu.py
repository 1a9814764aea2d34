"""A run that needs a GPU begins only where torch computes on one, whatever else is installed."""

import json

import pytest

from flows.gpu import find_gpu
from flows.settings import SettingsError, load

CARD = {"torch": "torch 9", "name": "A10", "capability": "8.6", "total": 24 * 10**9}


@pytest.fixture(autouse=True)
def no_memory_of_before():
    find_gpu.cache_clear()
    yield
    find_gpu.cache_clear()


@pytest.fixture
def probe(monkeypatch):
    """`probe(code)`: this is what looks for a GPU."""
    return lambda code: monkeypatch.setattr("flows.gpu.PROBE", code)


def test_a_program_called_nvidia_smi_is_no_gpu(tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(SettingsError, match=r'"nightly" needs an NVIDIA GPU: torch .* finds none'):
        load("nightly")


def test_four_bits_need_a_gpu_as_well(monkeypatch, probe):
    with pytest.raises(SettingsError, match=r"base\.four_bit needs bitsandbytes"):
        load("laptop", {"base": {"four_bit": True}})
    monkeypatch.setattr("flows.settings.find_spec", lambda _name: True)
    probe("raise RuntimeError('no kernel image is available')")
    with pytest.raises(
        SettingsError, match=r"base\.four_bit needs an NVIDIA GPU: .* no kernel image is available"
    ):
        load("laptop", {"base": {"four_bit": True}})


def test_a_card_with_too_little_memory_is_refused_with_what_is_free(probe):
    probe(f"print({json.dumps(json.dumps(CARD | {'free': 8 * 10**9}))})")
    with pytest.raises(SettingsError, match=r"A10 .* 8\.0 of 24\.0 GB free, .* needs 12 GB"):
        load("nightly")


def test_a_run_says_which_card_it_found(probe, caplog):
    caplog.set_level("INFO", logger="flows.settings")
    probe(f"print({json.dumps(json.dumps(CARD | {'free': 20 * 10**9}))})")
    assert load("nightly").needs_gpu
    (line,) = [r.getMessage() for r in caplog.records if r.name == "flows.settings"]
    assert line == "GPU: A10 (compute capability 8.6), 20.0 of 24.0 GB free, torch 9"
