"""TopK training steps in PyTorch on a GPU, at the size and on the data of `lazyscope bench train`.

    python scripts/peers/gpuTraining.py --d 768 --width 24576 --k 32 --batch 4096

Prints one JSON document with the median milliseconds of a step for each:

- `autograd, tf32` and `autograd, bf16`: a dense decoder and PyTorch's own backward pass and fused Adam, which is what
  SAELens's step comes to; bf16 by autocast over 32-bit weights.
- `by hand, sparse`: handWrittenStep.py, one dense product a step.
- the packages' own steps: SAELens with and without its autocast, sparsify (its Triton decoder, bf16), dictionary_learning in
  bf16. A package that isn't installed, or fails, is named in `left out` with the reason.

Needs nothing but PyTorch, and takes `--device cpu` for trying it out. The hand-written gradients are compared with
autograd's before anything is timed.
"""

import argparse
import contextlib
import dataclasses
import json
import sys
import time
from statistics import median

import torch

from handWrittenStep import HandWrittenStep
from plantedActivations import LEARNING_RATE, Problem, planted_problem


def on_device(problem: Problem, device: str) -> Problem:
    return dataclasses.replace(
        problem,
        directions=problem.directions.to(device),
        batches=[batch.to(device) for batch in problem.batches],
    )


def topk_loss(x, w_enc, b_enc, w_dec, b_dec, k):
    """The mean over the batch of the squared error; the k largest pre-activations decode densely."""
    z = torch.relu((x - b_dec) @ w_enc.T + b_enc)
    values, latents = z.topk(k, dim=1, sorted=False)
    acts = torch.zeros_like(z).scatter(1, latents, values)
    error = acts @ w_dec + b_dec - x
    return error.float().square().sum(dim=1).mean()


class AutogradStep:
    def __init__(self, problem: Problem, bf16: bool):
        width, d = problem.directions.shape
        tensors = [problem.directions, torch.zeros(width), problem.directions, torch.zeros(d)]
        self.parameters = [tensor.clone().requires_grad_() for tensor in tensors]
        self.k, self.bf16 = problem.k, bf16
        self.device = problem.directions.device.type
        self.optimizer = torch.optim.Adam(self.parameters, lr=LEARNING_RATE, fused=True)

    def __call__(self, x):
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            loss = topk_loss(x, *self.parameters, self.k)
        loss.backward()
        w_dec = self.parameters[2]
        with torch.no_grad():
            along = torch.linalg.vecdot(w_dec.grad, w_dec)
            w_dec.grad.addcmul_(along[:, None], w_dec, value=-1)
            self.optimizer.step()
            w_dec.div_(w_dec.norm(dim=1, keepdim=True))
        self.optimizer.zero_grad(set_to_none=True)


def sae_lens(bf16: bool):
    def make(problem: Problem):
        from saeLensStep import sae_lens_step

        return sae_lens_step(problem, bf16=bf16)[0]

    return make


def sparsify(problem: Problem):
    from sparsifyStep import sparsify_step

    return sparsify_step(problem, "adam")[0]


def dictionary_learning(problem: Problem):
    from dictionaryLearningStep import dictionary_learning_step

    return dictionary_learning_step(problem, bf16=True)


PACKAGES = {
    "SAELens": sae_lens(bf16=False),
    "SAELens, autocast": sae_lens(bf16=True),
    "sparsify, Adam": sparsify,
    "dictionary_learning, bf16": dictionary_learning,
}


def check_hand_written(device: str) -> None:
    """Raises where a hand-written gradient differs from autograd's."""
    problem = on_device(planted("cpu", d=24, width=256, k=8, batch=64), device)
    step = HandWrittenStep(problem, sparse=True)
    got, _ = step.gradients(problem.batches[0])
    leaves = [
        value.clone().requires_grad_() for value in (step.w_enc, step.b_enc, step.w_dec, step.b_dec)
    ]
    topk_loss(problem.batches[0], *leaves, problem.k).backward()
    for name, a, leaf in zip(["W_enc", "b_enc", "W_dec", "b_dec"], got, leaves):
        off = ((a - leaf.grad).abs().max() / leaf.grad.abs().max()).item()
        if not off < 1e-2:
            raise SystemExit(f"the gradient of {name} is off by {off:.2g}")


def planted(device: str, drawn_on: str = "cpu", **size) -> Problem:
    """Drawn on the CPU, every device gets the same; a device draws a wide dictionary in a hundredth of the time."""
    before = torch.get_default_device()
    torch.set_default_device("cpu")
    problem = planted_problem("topk", device=drawn_on, **size)
    torch.set_default_device(before)
    return on_device(problem, device)


def time_steps(step, problem: Problem, warmup: int, steps: int, device: str) -> dict:
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    samples = []
    for n in range(warmup + steps):
        x = problem.batches[n % len(problem.batches)]
        wait()
        before = time.perf_counter()
        step(x)
        wait()
        samples.append(1000 * (time.perf_counter() - before))
    return {"stepMs": median(samples[warmup:]), "samplesMs": samples[warmup:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--d", type=int, default=768)
    parser.add_argument("--width", type=int, default=24_576)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--batch", type=int, default=4_096)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--draw", choices=["cpu", "device"], default="cpu", help="where the data is drawn")
    parser.add_argument("--only", default="", help="names of peers with semicolons between them; all when empty")
    given = parser.parse_args()
    device = given.device
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("PyTorch sees no CUDA device.")
    torch.set_default_device(device)
    check_hand_written(device)
    torch.set_float32_matmul_precision("high")
    drawn_on = device if given.draw == "device" else "cpu"
    problem = planted(device, drawn_on, d=given.d, width=given.width, k=given.k, batch=given.batch)
    peers, left_out = {}, {}
    ours = {
        "autograd, tf32": lambda problem: AutogradStep(problem, bf16=False),
        "autograd, bf16": lambda problem: AutogradStep(problem, bf16=True),
        "by hand, sparse": lambda problem: HandWrittenStep(problem, sparse=True),
    }
    known = ours | PACKAGES
    only = given.only.split(";") if given.only else list(known)
    if unknown := [name for name in only if name not in known]:
        raise SystemExit(f"--only: {', '.join(unknown)} is not among {'; '.join(known)}")
    for name in only:
        make = known[name]
        try:
            # What a package prints would spoil the document.
            with contextlib.redirect_stdout(sys.stderr):
                step = make(problem)
                peers[name] = time_steps(step, problem, given.warmup, given.steps, device)
                del step
        except Exception as error:
            left_out[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
        if device == "cuda":
            torch.cuda.empty_cache()
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    print(json.dumps({"torch": torch.__version__, "device": name, "peers": peers, "left out": left_out}))


main()
