"""A training step as sparsify makes it: its SparseCoder with the lines of its Trainer (sparsify/trainer.py, `hook` and
`fit`) around it, for one hook point, AuxK on. The Trainer itself takes activations only from a language model.

Its Triton decoder needs a GPU; on a CPU the package's own fallback (`eager_decode`, an embedding bag) decodes, which
SPARSIFY_DISABLE_TRITON=1 asks for. On a GPU its forward pass is in bf16 by the package's own decorator.
"""

import os

import torch

if not torch.cuda.is_available():
    os.environ["SPARSIFY_DISABLE_TRITON"] = "1"

from schedulefree import ScheduleFreeWrapper  # noqa: E402
from sparsify.config import SparseCoderConfig  # noqa: E402
from sparsify.sign_sgd import SignSGD  # noqa: E402
from sparsify.sparse_coder import SparseCoder  # noqa: E402

from plantedActivations import LEARNING_RATE, Problem  # noqa: E402

AUXILIARY_COEFFICIENT = 1 / 32
DEAD_AFTER = 10_000_000


def sparsify_step(problem: Problem, optimizer_name: str):
    """`optimizer_name`: signum, the package's default, or adam."""
    width, d = problem.directions.shape
    device = problem.directions.device
    sae = SparseCoder(d, SparseCoderConfig(num_latents=width, k=problem.k), device=device, dtype=torch.float32)
    sae.encoder.weight.data.copy_(problem.directions)
    sae.W_dec.data.copy_(problem.directions)
    if optimizer_name == "signum":
        optimizer = ScheduleFreeWrapper(SignSGD(sae.parameters(), lr=LEARNING_RATE), momentum=0.95)
        optimizer.train()
    else:
        optimizer = torch.optim.Adam(sae.parameters(), lr=LEARNING_RATE)
    since_fired = torch.zeros(width, dtype=torch.long, device=device)
    did_fire = torch.zeros(width, dtype=torch.bool, device=device)

    def step(x: torch.Tensor):
        sae.set_decoder_norm_to_unit_norm()
        dead_mask = since_fired > DEAD_AFTER
        total_variance = (x - x.mean(0)).pow(2).sum()
        out = sae(x=x, y=x, dead_mask=dead_mask, total_variance=total_variance)
        did_fire[out.latent_indices.flatten()] = True
        float(out.fvu.detach())
        float(out.auxk_loss.detach())
        loss = out.fvu + AUXILIARY_COEFFICIENT * out.auxk_loss + out.multi_topk_fvu / 8
        loss.backward()
        sae.remove_gradient_parallel_to_decoder_directions()
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            since_fired.add_(x.shape[0])
            since_fired[did_fire] = 0
            did_fire.zero_()
        return out

    def active(out) -> float:
        return (out.latent_acts > 0).sum().item() / out.latent_acts.shape[0]

    return step, active
