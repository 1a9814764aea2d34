"""Several adapters on one base, each heard in turn over the same users."""

import warnings
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn

from tasks.artifacts import Adapter, Base
from tasks.model.load import best_device, best_dtype, load_base
from tasks.predict.reading import load_merged


class Voices:
    """Where sums are exact enough each adapter is added into weights of its own, else they share.

    So what is heard is, bit for bit, what each adapter by itself would say.
    """

    def __init__(
        self, base: Base, adapters: Mapping[str, Adapter], *, shared: bool | None = None
    ) -> None:
        if shared is None:
            shared = len(adapters) > 1 and best_dtype(best_device()) != torch.float32
        self._own = {} if shared else {n: load_merged(base, a) for n, a in adapters.items()}
        self._shared: Any = _together(base, adapters) if shared else None

    def speak(self, name: str) -> nn.Module:
        """The model with that adapter, until another is asked for."""
        if self._shared is None:
            return self._own[name]
        self._shared.set_adapter(name)
        return cast(nn.Module, self._shared)


def _together(base: Base, adapters: Mapping[str, Adapter]) -> nn.Module:
    """One base in memory, with all adapters beside its weights."""
    from peft import PeftModel

    model = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # as in tasks/model/load.py
        for name, adapter in adapters.items():
            if model is None:
                path = str(adapter.path)
                model = PeftModel.from_pretrained(load_base(base), path, adapter_name=name)
            else:
                model.load_adapter(str(adapter.path), adapter_name=name)
    if model is None:
        raise ValueError("no adapter is given: name at least one")
    return model.eval()
