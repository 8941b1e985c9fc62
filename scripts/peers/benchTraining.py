"""SAE training steps in PyTorch on a CPU: SAELens's and sparsify's own, and the fastest that we could write by hand.

    python scripts/peers/benchTraining.py --arch topk --threads 2 --steps 3

Prints one JSON document with the median milliseconds of a step for each. The hand-written gradients are checked
against SAELens's autograd, at a small size, before anything is timed.
"""

import argparse
import json
import sys
import time
from importlib.metadata import version
from statistics import median

import torch
from sae_lens.saes.sae import TrainStepInput

from handWrittenStep import HandWrittenStep, hand_written_step
from plantedActivations import Problem, planted_problem
from saeLensStep import SPARSITY_COEFFICIENT, planted_sae, sae_lens_step
from sparsifyStep import sparsify_step

STEPS = {
    "topk": {
        "SAELens": lambda problem: sae_lens_step(problem),
        "SAELens, sparse activations": lambda problem: sae_lens_step(problem, sparse=True),
        "sparsify, signum": lambda problem: sparsify_step(problem, "signum"),
        "sparsify, Adam": lambda problem: sparsify_step(problem, "adam"),
        "by hand, sparse": lambda problem: hand_written_step(problem, sparse=True),
    },
    "relu": {
        "SAELens": lambda problem: sae_lens_step(problem),
        "by hand, dense": lambda problem: hand_written_step(problem, sparse=False),
        "by hand, dense, compiled": lambda problem: hand_written_step(problem, sparse=False, compiled=True),
        "by hand, sparse": lambda problem: hand_written_step(problem, sparse=True),
    },
}
STEPS["jumprelu"] = STEPS["relu"]
# Slower than others of their kind: measured only where --peer names them.
ONLY_IF_NAMED = {"SAELens, sparse activations", "by hand, dense, compiled"}


def check_hand_written(architecture: str) -> None:
    """Raises where a hand-written gradient differs from what autograd makes of SAELens's loss."""
    problem = planted_problem(architecture, d=24, width=256, k=8, batch=64)
    sae = planted_sae(problem)
    x = problem.batches[0]
    step_input = TrainStepInput(
        sae_in=x,
        coefficients={"l0": SPARSITY_COEFFICIENT, "l1": SPARSITY_COEFFICIENT},
        dead_neuron_mask=None,
        n_training_steps=0,
        is_logging_step=False,
    )
    output = sae.training_forward_pass(step_input)
    output.loss.backward()
    wanted = [sae.W_enc.grad.T, sae.b_enc.grad, sae.W_dec.grad, sae.b_dec.grad]
    if architecture == "jumprelu":
        wanted.append(sae.threshold.grad)
    for sparse in [True] if architecture == "topk" else [True, False]:
        got, _ = HandWrittenStep(problem, sparse).gradients(x)
        for name, a, b in zip(["W_enc", "b_enc", "W_dec", "b_dec", "threshold"], got, wanted):
            off = ((a - b).abs().max() / b.abs().max()).item()
            if not off < 1e-3:
                raise SystemExit(f"{architecture}, sparse={sparse}: the gradient of {name} is off by {off:.2g}")


def time_steps(problem: Problem, make, warmup: int, steps: int):
    step, active = make(problem)
    samples = []
    for n in range(warmup + steps):
        x = problem.batches[n % len(problem.batches)].clone()
        before = time.perf_counter()
        result = step(x)
        samples.append(1000 * (time.perf_counter() - before))
    return {"stepMs": median(samples[warmup:]), "samplesMs": samples[warmup:], "l0": active(result)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", choices=list(STEPS), default="topk")
    parser.add_argument("--d", type=int, default=768)
    parser.add_argument("--width", type=int, default=12_288)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--batch", type=int, default=2_048)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--peer", action="append", help="measure only this one; may be repeated")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    check_hand_written(given.arch)
    problem = planted_problem(given.arch, given.d, given.width, given.k, given.batch)
    results = {}
    for name, make in STEPS[given.arch].items():
        if name not in given.peer if given.peer else name in ONLY_IF_NAMED:
            continue
        results[name] = time_steps(problem, make, given.warmup, given.steps)
        print(f"{given.arch}, {name}: {results[name]['stepMs']:.0f} ms", file=sys.stderr)
    versions = {name: version(name) for name in ["torch", "sae-lens", "eai-sparsify"]}
    json.dump({"versions": versions, "threads": torch.get_num_threads(), "peers": results}, sys.stdout, indent=2)
    print()


main()
