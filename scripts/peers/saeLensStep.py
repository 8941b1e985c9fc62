"""A training step as SAELens makes it: its SAETrainer with its training SAEs and their defaults, logging off."""

import torch
from sae_lens import (
    JumpReLUTrainingSAE,
    JumpReLUTrainingSAEConfig,
    StandardTrainingSAE,
    StandardTrainingSAEConfig,
    TopKTrainingSAE,
    TopKTrainingSAEConfig,
)
from sae_lens.config import SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer

from plantedActivations import LEARNING_RATE, Problem

SPARSITY_COEFFICIENT = 1.0


def planted_sae(problem: Problem, sparse: bool = False):
    """`sparse`: TopK's use_sparse_activations, which SAELens leaves off unless it is asked for."""
    width, d = problem.directions.shape
    common = dict(d_in=d, d_sae=width, dtype="float32", device=problem.directions.device.type)
    if problem.architecture == "topk":
        sae = TopKTrainingSAE(
            TopKTrainingSAEConfig(
                k=problem.k,
                use_sparse_activations=sparse,
                rescale_acts_by_decoder_norm=not sparse,
                **common,
            )
        )
    elif problem.architecture == "relu":
        sae = StandardTrainingSAE(StandardTrainingSAEConfig(l1_coefficient=SPARSITY_COEFFICIENT, **common))
        sae.b_enc.data.fill_(-problem.cut)
    else:
        sae = JumpReLUTrainingSAE(
            JumpReLUTrainingSAEConfig(
                jumprelu_init_threshold=problem.cut,
                jumprelu_bandwidth=problem.bandwidth,
                l0_coefficient=SPARSITY_COEFFICIENT,
                **common,
            )
        )
    sae.W_dec.data.copy_(problem.directions)
    sae.W_enc.data.copy_(problem.directions.T)
    return sae


def sae_lens_step(problem: Problem, sparse: bool = False, bf16: bool = False):
    """`bf16`: SAELens's `autocast`, which makes the products in bf16."""
    sae = planted_sae(problem, sparse)
    [batch, _] = problem.batches[0].shape
    config = SAETrainerConfig(
        total_training_samples=batch * 1_000_000,
        train_batch_size_samples=batch,
        lr=LEARNING_RATE,
        lr_end=LEARNING_RATE / 10,
        device=problem.directions.device.type,
        autocast=bf16,
    )
    trainer = SAETrainer(cfg=config, sae=sae, data_provider=iter(problem.batches))

    def step(x: torch.Tensor):
        output = trainer.step(x)
        trainer.n_training_steps += 1
        return output

    def active(output) -> float:
        acts = output.feature_acts
        entries = acts.coalesce().values() if acts.is_sparse else acts
        return (entries > 0).sum().item() / batch

    return step, active
