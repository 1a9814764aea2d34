"""The training loop on a model that trains in a second: what it keeps, when it stops, resuming."""

import math
import os
import signal
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM

from tasks.nn.examples import Examples
from tasks.readout.rating_trie import RatingTrie
from tasks.training import checkpoint, gradients
from tasks.training.config import Objective, TrainingConfig
from tasks.training.trainer import Trainer, TrainingError
from tasks.training.validation import validate


def exhaust_memory():
    """Ask torch for 1 PiB, more than a process can address."""
    torch.empty(1 << 50, dtype=torch.uint8)


TRIE = RatingTrie((1.0, 2.0, 3.0, 4.0, 5.0), ((3,), (4,), (5,), (6,), (7,)))
SPAN = pa.struct(
    [
        ("branch", pa.int16()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("rating", pa.float32()),
        ("log_prior", pa.list_(pa.float32())),
    ]
)
SMALL = TrainingConfig(
    epochs=4,
    tokens_per_step=60,
    pack_length=40,
    micro_batch_rows=2,
    learning_rate=1e-2,
    log_steps=2,
    validate_steps=4,
    checkpoint_steps=3,
)


def make_examples(n: int, seed: int = 0) -> Examples:
    """Noise, a token that determines the rating, and the rating."""
    draw = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        value = int(draw.integers(5))
        noise = draw.integers(20, 40, int(draw.integers(3, 12))).tolist()
        prefix = [*noise, 10 + value, 3 + value]
        at = len(prefix) - 1
        span = {"branch": -1, "start": at, "end": at + 1, "rating": 1.0 + value, "log_prior": []}
        rows.append({"example": i, "prefix_tokens": prefix, "branch_tokens": [], "spans": [span]})
    schema = pa.schema(
        [
            ("example", pa.int64()),
            ("prefix_tokens", pa.list_(pa.int32())),
            ("branch_tokens", pa.list_(pa.list_(pa.int32()))),
            ("spans", pa.list_(SPAN)),
        ]
    )
    return Examples.from_table(pa.Table.from_pylist(rows, schema))


def new_model(dropout: float = 0.1) -> BloomForCausalLM:
    torch.manual_seed(0)
    return BloomForCausalLM(
        BloomConfig(vocab_size=48, hidden_size=16, n_layer=2, n_head=2, hidden_dropout=dropout)
    )


def train(folder: Path, config: TrainingConfig = SMALL, model=None):
    model = model or new_model()
    held_out = make_examples(30, seed=1).take(range(30))
    trainer = Trainer(model, TRIE, Objective(), config, folder)
    return model, trainer.train(make_examples(120), held_out, "test")


def test_it_learns_what_can_be_learned(tmp_path):
    _, history = train(tmp_path, SMALL.model_copy(update={"epochs": 12}))
    assert history[-1]["validation_rmse"] < 0.3
    assert (history[0]["step"], history[0]["loss"]) == (0, None)
    assert history[0]["validation_rmse"] > 1
    assert history[1]["validation_rmse"] is None
    assert not any(tmp_path.iterdir())


def test_two_runs_end_with_the_same_weights(tmp_path):
    results = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        model, history = train(tmp_path / name)
        results.append((model.state_dict(), history))
    assert results[0][1] == results[1][1]
    for name, weight in results[0][0].items():
        assert torch.equal(weight, results[1][0][name]), name


KILLED = """
import os, signal, sys
from pathlib import Path
from tasks.training.trainer import Trainer
from tests.training.test_trainer import train

doomed, sign = int(sys.argv[2]), int(sys.argv[3])
step = Trainer._step
def step_and_die(self, *args):
    step(self, *args)
    if self.progress.step == doomed:
        os.kill(os.getpid(), sign)
Trainer._step = step_and_die
train(Path(sys.argv[1]))
"""


def train_and_kill(folder: Path, at: int, sign: int) -> int:
    command = [sys.executable, "-c", KILLED, str(folder), str(at), str(sign)]
    environment = {**os.environ, "PYTHONPATH": "."}  # as many threads: sums are shared out alike
    return subprocess.run(command, env=environment, capture_output=True).returncode


@pytest.mark.parametrize("step", [1, 8])
def test_a_run_killed_at_any_step_resumes_to_the_same_weights(tmp_path, step):
    (tmp_path / "whole").mkdir()
    undisturbed, history = train(tmp_path / "whole")
    (tmp_path / "killed").mkdir()
    assert train_and_kill(tmp_path / "killed", step, signal.SIGKILL) == -signal.SIGKILL
    assert (tmp_path / "killed" / checkpoint.NAME).exists() == (step >= 3)
    continued, rows = train(tmp_path / "killed")
    assert rows == history
    for name, weight in undisturbed.state_dict().items():
        assert torch.equal(weight, continued.state_dict()[name]), name


def damage(file: Path, at: int, how: str) -> None:
    """Flip a bit at a place, or cut the file off there."""
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content if how == "flip" else content[:at])


@pytest.mark.parametrize("how", ["flip", "cut"])
def test_a_damaged_checkpoint_is_discarded_wherever_it_is_damaged(tmp_path, caplog, how):
    file, pristine = tmp_path / checkpoint.NAME, tmp_path / "whole"
    assert train_and_kill(tmp_path, 4, signal.SIGKILL) == -signal.SIGKILL
    pristine.write_bytes(file.read_bytes())
    for at in np.linspace(0, pristine.stat().st_size - 1, 60).astype(int):
        file.write_bytes(pristine.read_bytes())
        damage(file, at, how)
        model = new_model()
        trainer = Trainer(model, TRIE, Objective(), SMALL, tmp_path)
        assert (trainer.progress, trainer.best) == (checkpoint.Progress(), None), at
        untrained = new_model().state_dict()
        assert all(torch.equal(w, untrained[name]) for name, w in model.state_dict().items()), at
        assert not file.exists()
    assert caplog.text.count("checkpoint.pt has changed since it was written: deleting it") == 60


def test_training_goes_on_with_the_same_weights_after_a_damaged_checkpoint(tmp_path):
    (tmp_path / "whole").mkdir()
    undisturbed, history = train(tmp_path / "whole")
    (tmp_path / "torn").mkdir()
    assert train_and_kill(tmp_path / "torn", 8, signal.SIGKILL) == -signal.SIGKILL
    damage(tmp_path / "torn" / checkpoint.NAME, 5000, "cut")
    anew, rows = train(tmp_path / "torn")
    assert rows == history
    for name, weight in undisturbed.state_dict().items():
        assert torch.equal(weight, anew.state_dict()[name]), name


def test_sigterm_saves_the_current_step_and_ends(tmp_path):
    assert train_and_kill(tmp_path, 4, signal.SIGTERM) == -signal.SIGTERM
    model = new_model()
    again = Trainer(model, TRIE, Objective(), SMALL, tmp_path)
    assert again.progress.step == 4


def test_a_loss_that_is_not_finite_stops_with_step_and_checkpoint(tmp_path):
    model = new_model()
    trainer = Trainer(model, TRIE, Objective(), SMALL, tmp_path)
    step = trainer._step

    def poisoned(layouts, steps):
        if trainer.progress.step == 4:
            with torch.no_grad():
                model.transformer.ln_f.weight.fill_(math.nan)
        step(layouts, steps)

    trainer._step = poisoned
    with pytest.raises(TrainingError, match=r"loss of step 4 is nan.*checkpoint is of step 3"):
        trainer.train(make_examples(120), [], "test")


def test_without_progress_it_stops_and_keeps_the_best(tmp_path):
    hopeless = SMALL.model_copy(
        update={
            "epochs": 40,
            "learning_rate": 0.3,
            "max_grad_norm": None,
            "patience": 2,
            "warmup": 0,
        }
    )
    model, history = train(tmp_path, hopeless)
    losses = [row["validation_loss"] for row in history if row["validation_loss"] is not None]
    assert len(losses) == losses.index(min(losses)) + 1 + 2
    held_out = make_examples(30, seed=1).take(range(30))
    again = Trainer(model, TRIE, Objective(), hopeless, tmp_path)
    quality = validate(again.gradients, again._pack(held_out))
    assert quality.loss == pytest.approx(min(losses), rel=1e-6)


def test_the_plain_path_learns_the_same_step_by_step(tmp_path):
    """The library's own forward pass on single texts, against packed rows and fused kernels."""
    results = []
    for changes in ({}, {"attention": "plain", "pack_length": 1}, {"gradient_checkpointing": True}):
        folder = tmp_path / str(len(results))
        folder.mkdir()
        config = SMALL.model_copy(update={"max_steps": 4, "validate_steps": None} | changes)
        results.append(train(folder, config, new_model(dropout=0)))
    for model, history in results[1:]:
        assert [r["loss"] for r in history] == pytest.approx([r["loss"] for r in results[0][1]])
        for name, weight in results[0][0].state_dict().items():
            assert torch.allclose(weight, model.state_dict()[name], atol=1e-4), name


def train_scaled(folder: Path, scale: float):
    """Training with a loss scale as in half precision, but in fp32, to see the scaler alone."""
    folder.mkdir()
    model = new_model(dropout=0)
    trainer = Trainer(model, TRIE, Objective(), SMALL, folder)
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    return model, trainer.train(make_examples(120), [], "test"), trainer.scaler.get_scale()


def test_scaled_gradients_learn_the_same_and_those_that_overflow_are_left_out(tmp_path):
    plain, _, _ = train_scaled(tmp_path / "plain", 1.0)
    large, _, _ = train_scaled(tmp_path / "large", 2.0**16)
    for name, weight in plain.state_dict().items():
        assert torch.allclose(weight, large.state_dict()[name], atol=1e-4), name
    _, history, scale = train_scaled(tmp_path / "too large", 2.0**128 * 0.9)
    assert scale < 2.0**127
    assert history[-1]["loss"] < history[1]["loss"] / 2


def test_out_of_memory_repeats_the_step_as_if_rows_had_been_halved_before(
    tmp_path, monkeypatch, caplog
):
    """Bit for bit and with dropout: masks and gradients of the failed attempt leave no trace."""
    config = SMALL.model_copy(update={"max_steps": 6, "tokens_per_step": 150})
    (tmp_path / "two rows").mkdir()
    expected, history = train(tmp_path / "two rows", config)
    compute = gradients.compute_loss

    def scarce(model, batch, *rest):
        loss = compute(model, batch, *rest)
        if len(batch.tokens) > 2 and loss.total.requires_grad:
            loss.total.backward()
            exhaust_memory()
        return loss

    monkeypatch.setattr(gradients, "compute_loss", scarce)
    (tmp_path / "four rows").mkdir()
    four = config.model_copy(update={"micro_batch_rows": 4})
    model, rows = train(tmp_path / "four rows", four)
    assert "micro_batch_rows is 2" in caplog.text
    assert rows[1:] == history[1:]
    for name, weight in expected.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name]), name


def test_a_retry_starts_after_the_failed_attempt_is_freed(tmp_path):
    computer = Trainer(new_model(), TRIE, Objective(), SMALL, tmp_path).gradients
    held = []

    def work():
        assert all(tensor() is None for tensor in held)
        activations = torch.zeros(8)
        held.append(weakref.ref(activations))
        if len(held) < 3:
            exhaust_memory()

    computer.retry_in_less_memory(work)
    assert (computer.micro_batch_rows, computer.gradient_checkpointing) == (1, True)


def test_a_row_that_does_not_fit_alone_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(gradients, "compute_loss", lambda *_: exhaust_memory())
    with pytest.raises(TrainingError, match="a smaller pack_length"):
        train(tmp_path)


def test_other_errors_of_the_model_are_not_taken_for_memory(tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(gradients, "compute_loss", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        train(tmp_path)
