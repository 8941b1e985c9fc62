"""A language model of transformers in PyTorch on a CPU: forward passes, and training steps with AdamW.

    python scripts/peers/benchLanguageModel.py --model data/models/lazyscope-demo-relu --threads 2 --forward
    python scripts/peers/benchLanguageModel.py --model data/models/lazyscope-demo-relu --threads 2 --train

Weights are read as float32. Each kind of attention that transformers has on a CPU is timed, compiled and not, with
AdamW fused and (eager only) in its default form. Prints one JSON document with median milliseconds.
"""

import argparse
import json
import sys
import time
from importlib.metadata import version
from statistics import median

import torch
from transformers import AutoConfig, AutoModelForCausalLM


def timed(run, warmup: int, steps: int):
    samples = []
    for n in range(warmup + steps):
        before = time.perf_counter()
        run()
        samples.append(1000 * (time.perf_counter() - before))
    kept = samples[warmup:]
    return {"milliseconds": median(kept), "bestMilliseconds": min(kept), "samplesMs": kept}


def forward_pass(folder: str, tokens: torch.Tensor, attention: str, compiled: bool):
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation=attention, dtype=torch.float32).eval()
    call = torch.compile(model) if compiled else model

    @torch.inference_mode()
    def run():
        return call(input_ids=tokens, use_cache=False).logits[-1, -1, 0].item()

    return run


def training_step(folder: str, tokens: torch.Tensor, attention: str, compiled: bool, fused: bool):
    """Random weights, the settings of `lazyscope lm train`: decay on matrices only, gradients clipped at norm 1."""
    config = AutoConfig.from_pretrained(folder, attn_implementation=attention, dtype=torch.float32)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention, dtype=torch.float32).train()
    call = torch.compile(model) if compiled else model
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-5, betas=(0.9, 0.95), fused=fused)
    inputs, labels = tokens[:, :-1].contiguous(), tokens[:, 1:].flatten()

    def run():
        logits = call(input_ids=inputs, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a Hugging Face folder; only its shape counts in training")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--context-length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--no-compiled", action="store_true", help="leave torch.compile out: it takes minutes on a busy CPU")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--forward", action="store_true")
    what.add_argument("--train", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    generator = torch.Generator().manual_seed(0)
    vocabulary = AutoConfig.from_pretrained(given.model).vocab_size
    tokens = torch.randint(vocabulary, (given.batch, given.context_length + given.train), generator=generator)
    results = {}
    for attention in ["eager", "sdpa"]:
        for compiled in [False] if given.no_compiled else [False, True]:
            name = f"{attention}, compiled" if compiled else attention
            if given.forward:
                variants = {name: lambda: forward_pass(given.model, tokens, attention, compiled)}
            else:
                variants = {
                    f"{name}, {'fused' if fused else 'foreach'} AdamW": lambda fused=fused: training_step(
                        given.model, tokens, attention, compiled, fused
                    )
                    for fused in ([True] if compiled else [True, False])
                }
            for variant, make in variants.items():
                results[variant] = timed(make(), 3 if compiled else 2, given.steps)
                print(f"{variant}: {results[variant]['milliseconds']:.1f} ms", file=sys.stderr)
    positions = given.batch * given.context_length
    for result in results.values():
        result["tokensPerSecond"] = 1000 * positions / result["milliseconds"]
        result["bestTokensPerSecond"] = 1000 * positions / result["bestMilliseconds"]
    versions = {name: version(name) for name in ["torch", "transformers"]}
    json.dump({"versions": versions, "threads": torch.get_num_threads(), "peers": results}, sys.stdout, indent=2)
    print()


main()
