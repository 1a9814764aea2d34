"""Puts a LoRA adapter on a base model, and saves it alone."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedModel

from tasks.base_models import LORA_TARGETS
from tasks.store.artifacts import Adapter
from tasks.training.config import Lora


def attach(model: PreTrainedModel, lora: Lora, *, seed: int) -> PeftModel:
    """The frozen model with a new adapter on it, which alone requires gradients.

    Raises ValueError where the model's family is not known and no targets are named.
    """
    torch.manual_seed(seed)
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=_targets(model, lora),
        use_rslora=lora.rank_stabilised,
        use_dora=lora.dora,
        bias="none",
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        # peft 0.21 asks transformers 5 for a name that is to go in version 6.
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(model, config)


def continue_from(model: PeftModel, adapter: Adapter) -> None:
    """Put the weights of a finished adapter in place of the new ones.

    Raises ValueError where it has other layers or another rank.
    """
    weights = load_file(adapter.path / "adapter_model.safetensors")
    try:
        found: Any = set_peft_model_state_dict(model, weights)
    except RuntimeError as error:
        raise ValueError(_unlike(adapter, str(error))) from None
    if found.unexpected_keys:
        raise ValueError(_unlike(adapter, f"it also adapts {found.unexpected_keys[0]}"))


def _unlike(adapter: Adapter, why: str) -> str:
    return (
        f"cannot go on from the adapter {adapter.fingerprint}: {why.splitlines()[-1].strip()}; "
        "set train.warm_start to false, or train.lora as it was"
    )


def parameter_share(model: nn.Module) -> tuple[int, int]:
    """How many parameters are trained, of how many."""
    parameters = list(model.parameters())
    return sum(p.numel() for p in parameters if p.requires_grad), sum(p.numel() for p in parameters)


def save_adapter(model: PeftModel, folder: Path, base_name: str) -> None:
    """Write adapter_model.safetensors and adapter_config.json, the same bytes for the same weights.

    The library would note where the base lay on this machine, and sets in any order.
    """
    model.save_pretrained(str(folder))
    (folder / "README.md").unlink(missing_ok=True)
    config = folder / "adapter_config.json"
    found = json.loads(config.read_text()) | {"base_model_name_or_path": base_name}
    if isinstance(found["target_modules"], list):
        found["target_modules"] = sorted(found["target_modules"])
    config.write_text(json.dumps(found, indent=2, sort_keys=True))


def _targets(model: PreTrainedModel, lora: Lora) -> str | list[str]:
    if lora.targets == "all-linear":
        return "all-linear"
    if lora.targets != "family":
        return list(lora.targets)
    family = model.config.model_type
    if family not in LORA_TARGETS:
        linear = {n.split(".")[-1] for n, m in model.named_modules() if isinstance(m, nn.Linear)}
        raise ValueError(
            f'nothing is known of the family "{family}": name the layers to adapt in lora.targets, '
            f'or set it to "all-linear"; its linear layers are {", ".join(sorted(linear))}'
        )
    return list(LORA_TARGETS[family])
