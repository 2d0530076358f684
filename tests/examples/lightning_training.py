"""A training with PyTorch Lightning and the example's callback, run by `test_pipeline.py` in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from evaluations import Evaluations
from lightning.pytorch import LightningModule, Trainer
from lightning_callback import EvaluationCallback

from producer import Client

POINTS = torch.linspace(-1, 1, 32).unsqueeze(1)


class Line(LightningModule):
    """Fits y = 3 x + 1, and says that its epochs end with the losses 3, 2, 5 and 1."""

    def __init__(self) -> None:
        super().__init__()
        self.line = torch.nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor, _: int) -> torch.Tensor:
        return torch.nn.functional.mse_loss(self.line(batch), 3 * batch + 1)

    def validation_step(self, batch: torch.Tensor, _: int) -> None:
        self.log("val_loss", (3.0, 2.0, 5.0, 1.0)[self.current_epoch])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def main(queue: str, folder: Path, epochs: int, resume: str = "") -> None:
    with Client() as client:
        evaluations = Evaluations(client, queue, "lightning")
        trainer = Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[EvaluationCallback(evaluations, "val_loss", folder)],
        )
        data = torch.utils.data.DataLoader(POINTS, batch_size=8)
        trainer.fit(Line(), data, data, ckpt_path=resume or None)
        print({epoch: run.id for epoch, run in evaluations.runs.items()})


main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
