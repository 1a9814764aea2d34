"""Attaches a LoRA adapter to a base model, loads its weights and saves it."""

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


def attach_lora(model: PreTrainedModel, lora: Lora, *, seed: int) -> PeftModel:
    """The frozen model with a new adapter, whose weights alone require gradients.

    Raises ValueError where the model's family is unknown and `lora.targets` names no layers.
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
        # peft 0.21 uses a name that transformers 6 will remove.
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(model, config)


def load_weights(model: PeftModel, adapter: Adapter) -> None:
    """Replace the weights of a new adapter by those of a finished one.

    Raises ValueError where that has other layers or another rank.
    """
    weights = load_file(adapter.path / "adapter_model.safetensors")
    try:
        result: Any = set_peft_model_state_dict(model, weights)
    except RuntimeError as error:
        raise ValueError(_mismatch(adapter, str(error))) from None
    if result.unexpected_keys:
        raise ValueError(_mismatch(adapter, f"it also adapts {result.unexpected_keys[0]}"))


def _mismatch(adapter: Adapter, reason: str) -> str:
    return (
        f"cannot start from the adapter {adapter.fingerprint}: {reason.splitlines()[-1].strip()}; "
        "set train.warm_start to false, or train.lora as that adapter has it"
    )


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """The numbers of trained and of all parameters."""
    parameters = list(model.parameters())
    return sum(p.numel() for p in parameters if p.requires_grad), sum(p.numel() for p in parameters)


def save_adapter(model: PeftModel, folder: Path, base_name: str) -> None:
    """Write adapter_model.safetensors and adapter_config.json, the same bytes for the same weights.

    peft alone would write the path of the base on this machine, and sets in arbitrary order.
    """
    model.save_pretrained(str(folder))
    (folder / "README.md").unlink(missing_ok=True)
    config = folder / "adapter_config.json"
    saved = json.loads(config.read_text()) | {"base_model_name_or_path": base_name}
    if isinstance(saved["target_modules"], list):
        saved["target_modules"] = sorted(saved["target_modules"])
    config.write_text(json.dumps(saved, indent=2, sort_keys=True))


def _targets(model: PreTrainedModel, lora: Lora) -> str | list[str]:
    if lora.targets == "all-linear":
        return "all-linear"
    if lora.targets != "family":
        return list(lora.targets)
    family = model.config.model_type
    if family not in LORA_TARGETS:
        linear = {n.split(".")[-1] for n, m in model.named_modules() if isinstance(m, nn.Linear)}
        raise ValueError(
            f'unknown model family "{family}": name the layers to adapt in lora.targets, or set it '
            f'to "all-linear"; its linear layers are {", ".join(sorted(linear))}'
        )
    return list(LORA_TARGETS[family])
