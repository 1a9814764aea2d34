"""An adapter is merged in full precision and rounded once, whatever precision is read in."""

import torch

from tasks.hub import load_adapted
from tasks.readout.load import load_merged
from tests.pipeline_world import adapter, base, ratings, split, store, tokenizer  # noqa: F401


def test_weights_are_those_merged_in_fp32_and_rounded_once(base, adapter, monkeypatch):  # noqa: F811
    exact = load_adapted(base, adapter).merge_and_unload()
    plain = load_merged(base, adapter).state_dict()
    assert all(torch.equal(plain[name], value) for name, value in exact.state_dict().items())
    monkeypatch.setattr("tasks.readout.load.best_dtype", lambda _device: torch.bfloat16)
    rounded = load_merged(base, adapter).state_dict()
    assert {value.dtype for value in rounded.values()} == {torch.bfloat16}
    for name, value in exact.state_dict().items():
        assert torch.equal(rounded[name], value.to(torch.bfloat16))
