"""Forward passes of a language model of transformers on a CPU, one for each line of JSON on standard input.

A line names the variant, the token ids [batch][seq] and how many blocks to run (null: all of them, and the logits of every
position). The answer has the processor seconds of all threads, the seconds of the wall clock, and the last position's row:
the residual stream after those blocks, or the logits. scripts/bench/forwardBesidePyTorch.ts asks.

    python scripts/peers/languageModelPasses.py --model FOLDER_OR_GGUF --threads 2

Variants: `sdpa` and `eager` attention; `compiled` is sdpa under torch.compile; `frozen` is that with inductor's freezing,
which packs the weights beforehand; `tuned` is frozen in the mode max-autotune. Weights are float32.
"""

import argparse
import json
import os
import sys
import time
from importlib.metadata import version

import torch
import torch._inductor.config as inductor
from transformers import AutoModelForCausalLM


def load(path: str):
    folder, file = os.path.split(path)
    place = {"gguf_file": file} if path.endswith(".gguf") else {}
    where = folder if place else path
    return AutoModelForCausalLM.from_pretrained(where, attn_implementation="sdpa", dtype=torch.float32, **place).eval()


class Passes:
    def __init__(self, path: str):
        self.model = load(path)
        self.blocks, self.norm = self.model.model.layers, self.model.model.norm
        self.compiled = {}
        # Whether what was asked for last has not been compiled yet, which its first pass does.
        self.fresh = False

    def callable(self, variant: str, layers, shape):
        """Of the whole model, or of its first blocks without the final norm."""
        whole = layers is None
        self.model.model.layers = self.blocks if whole else self.blocks[:layers]
        self.model.model.norm = self.norm if whole else torch.nn.Identity()
        self.model.set_attn_implementation("eager" if variant == "eager" else "sdpa")
        plain = self.model if whole else self.model.model
        if variant in ("sdpa", "eager"):
            return plain
        inductor.freezing = variant != "compiled"
        key = (variant, layers, shape)
        if key not in self.compiled:
            # One at a time: compiled code of the same module is found by the module, whatever it was compiled with.
            torch._dynamo.reset()
            self.compiled = {key: torch.compile(plain, **({"mode": "max-autotune"} if variant == "tuned" else {}))}
            self.fresh = True
        return self.compiled[key]

    def run(self, variant: str, tokens, layers):
        call = self.callable(variant, layers, tuple(tokens.shape))
        # Frozen graphs are not made under inference_mode.
        with torch.no_grad() if variant in ("frozen", "tuned") else torch.inference_mode():
            if self.fresh:
                call(input_ids=tokens, use_cache=False)
                self.fresh = False
            wall, processor = time.perf_counter(), time.process_time()
            result = call(input_ids=tokens, use_cache=False)
            rows = result.last_hidden_state if layers is not None else result.logits
            last = rows[-1, -1]
            return {
                "cpuSeconds": time.process_time() - processor,
                "seconds": time.perf_counter() - wall,
                "last": last.tolist(),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a Hugging Face folder or a GGUF file")
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    passes = Passes(given.model)
    versions = {name: version(name) for name in ["torch", "transformers"]}
    print(json.dumps({"versions": versions, "capability": torch.backends.cpu.get_cpu_capability()}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        tokens = torch.tensor(asked["tokens"], dtype=torch.int64)
        print(json.dumps(passes.run(asked["variant"], tokens, asked["layers"])), flush=True)


main()
