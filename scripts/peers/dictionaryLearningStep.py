"""A training step as dictionary_learning makes it: its TopKTrainer's `update`, in bf16 by the autocast of its trainSAE."""

import torch
from dictionary_learning.trainers.top_k import TopKTrainer

from plantedActivations import LEARNING_RATE, Problem


def dictionary_learning_step(problem: Problem, bf16: bool):
    width, d = problem.directions.shape
    device = problem.directions.device.type
    trainer = TopKTrainer(
        steps=1_000_000,
        activation_dim=d,
        dict_size=width,
        k=problem.k,
        layer=0,
        lm_name="planted",
        lr=LEARNING_RATE,
        device=device,
    )
    trainer.ae.encoder.weight.data.copy_(problem.directions)
    trainer.ae.decoder.weight.data.copy_(problem.directions.T)
    count = 0

    def step(x: torch.Tensor):
        nonlocal count
        count += 1  # Step 0 would set the decoder bias by a geometric median.
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            return trainer.update(count, x.to(torch.bfloat16) if bf16 else x)

    return step
