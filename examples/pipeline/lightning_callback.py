"""A callback of PyTorch Lightning that has checkpoints evaluated by runs of their own.

trainer = Trainer(callbacks=[EvaluationCallback(Evaluations(client, "evaluations", "nightly"), "val_loss", folder)])
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evaluations import Evaluations
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback


class EvaluationCallback(Callback):
    """Writes a checkpoint after each validation, and enqueues its evaluation where `Evaluations` finds it worth one."""

    def __init__(self, evaluations: Evaluations, monitor: str, folder: Path) -> None:
        """`monitor` is a logged metric that is better when it is smaller."""
        self._evaluations = evaluations
        self._monitor = monitor
        self._folder = folder

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # The sanity check before the first epoch validates too, and every process of a distributed training does.
        if trainer.sanity_checking:
            return
        checkpoint = self._folder / f"epoch-{trainer.current_epoch}.ckpt"
        trainer.save_checkpoint(checkpoint)  # by all processes, as Lightning asks
        if trainer.is_global_zero:
            loss = float(trainer.callback_metrics[self._monitor])
            self._evaluations.after_epoch(trainer.current_epoch, loss, checkpoint)

    def state_dict(self) -> dict[str, Any]:
        """Goes into checkpoints, so that a training that goes on from one still knows its best."""
        return {"best": self._evaluations.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._evaluations.best = state_dict["best"]
