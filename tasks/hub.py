"""Loads base models and adapters from their artifacts."""

import json
import warnings
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    PreTrainedModel,
)
from transformers.utils.logging import disable_progress_bar

from tasks.store.artifacts import Adapter, Base

POINTER = "pointer.json"


def best_device() -> torch.device:
    """The first GPU, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def best_dtype(device: torch.device) -> torch.dtype:
    """bf16 where the hardware computes in it, fp16 on older GPUs, fp32 on a CPU.

    On a CPU without its instructions bf16 was 20 times slower than fp32.
    """
    if device.type == "cpu":
        return torch.float32
    # A T4 emulates bf16, without tensor cores.
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16


def load_base(base: Base, *, device: torch.device | None = None) -> PreTrainedModel:
    """Load the base model, frozen, on a device in that device's best precision.

    Its folder has the weights, or a pointer to a commit of a hub repository. Weights are read from
    safetensors only, and a model's own code is never run. With four bits, linear layers are
    quantised while they are loaded.
    """
    disable_progress_bar()
    device = device or best_device()
    location, options = _resolve_location(base.path)
    if base.metadata["four_bit"]:
        options["quantization_config"] = four_bits(best_dtype(device))
    model = AutoModelForCausalLM.from_pretrained(
        location,
        **options,
        dtype=best_dtype(device),
        device_map={"": device},
        use_safetensors=True,
        trust_remote_code=False,
    )
    return cast(PreTrainedModel, model.requires_grad_(False).eval())


def four_bits(dtype: torch.dtype) -> BitsAndBytesConfig:
    """Weights as 4-bit normal floats with quantised constants (QLoRA: arXiv 2305.14314)."""
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def load_adapted(base: Base, adapter: Adapter, *, device: torch.device | None = None) -> nn.Module:
    """Load the base model with an adapter, in evaluation mode."""
    from peft import PeftModel

    with warnings.catch_warnings():
        # peft 0.21 uses a name that transformers 6 will remove.
        warnings.simplefilter("ignore", FutureWarning)
        model = PeftModel.from_pretrained(load_base(base, device=device), str(adapter.path))
    return model.eval()


def save_base(model: PreTrainedModel, folder: Path) -> None:
    """Write config.json and the weights as safetensors."""
    disable_progress_bar()
    model.save_pretrained(str(folder))


def _resolve_location(folder: Path) -> tuple[str, dict[str, Any]]:
    """What to load: the folder, or the repository that its pointer names."""
    pointer = folder / POINTER
    if not pointer.exists():
        return str(folder), {}
    target = json.loads(pointer.read_text())
    return target["repository"], {"revision": target["revision"]}
