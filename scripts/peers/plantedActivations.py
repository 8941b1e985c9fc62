"""Activations like those of `lazyscope bench train` (scripts/bench/benchTrain.ts): sums of 32 directions out of
`width`, and a dictionary that already holds the directions, so that it fires as sparsely as a trained one."""

from dataclasses import dataclass

import torch

KEPT_BATCHES = 4
FEATURES_A_TOKEN = 32
FIRING_LATENTS = 64
# Latents a token within the band of JumpReLU's estimators or above it.
LISTED_LATENTS = 5 * FIRING_LATENTS
# So small that the dictionary stays as sparse as it begins.
LEARNING_RATE = 1e-8


@dataclass
class Problem:
    architecture: str
    k: int
    directions: torch.Tensor  # [latents, d], rows of unit norm
    batches: list[torch.Tensor]  # [batch, d] each
    cut: float  # what FIRING_LATENTS pre-activations a token exceed
    bandwidth: float  # of JumpReLU's estimators


def planted_problem(architecture: str, d: int, width: int, k: int, batch: int, device: str = "cpu") -> Problem:
    """Each device draws numbers of its own."""
    generator = torch.Generator(device).manual_seed(0)
    directions = torch.randn(width, d, generator=generator, device=device)
    directions /= directions.norm(dim=1, keepdim=True)
    batches = []
    for _ in range(KEPT_BATCHES):
        features = torch.randint(width, (batch, FEATURES_A_TOKEN), generator=generator, device=device)
        strengths = 0.5 + torch.rand(batch, FEATURES_A_TOKEN, generator=generator, device=device)
        batches.append(
            torch.nn.functional.embedding_bag(features, directions, per_sample_weights=strengths, mode="sum")
        )
    rows = min(64, batch)
    descending = (batches[0][:rows] @ directions.T).flatten().sort(descending=True).values

    def exceeded_by(latents: int) -> float:
        return descending[min(width, latents) * rows - 1].item()

    cut = max(exceeded_by(FIRING_LATENTS), 1e-6)
    bandwidth = max(2 * (cut - exceeded_by(LISTED_LATENTS)), 1e-6)
    return Problem(architecture, k, directions, batches, cut, bandwidth)
