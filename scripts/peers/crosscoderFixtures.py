"""Crosscoders in the form of dictionary_learning's fork, with what they compute.

    python scripts/peers/crosscoderFixtures.py
    python scripts/peers/crosscoderFixtures.py --check FOLDER

The first writes sae/formats/fixtures/crosscoders/<case>/{ae.pt,config.json,expected.json}. The second loads an exported folder and prints the largest
difference of its activations and reconstructions from the expected.json beside it. CrossCoder and BatchTopKCrossCoder are in no released package
(dictionary-learning 0.1.0 has neither), only in github.com/science-of-finetuning/dictionary_learning; what is computed here is written anew from the
names and shapes of its state dict and the formulas of 2504.02922: f = relu(sum over l of x_l W_l + b), kept where f times the latent's size exceeds the
threshold, and x_hat_l = f D_l + b_l.
"""

import json
import pathlib
import sys

import torch

LAYERS, D, LATENTS, ROWS, K = 3, 6, 20, 16, 4
TARGET = pathlib.Path(__file__).resolve().parents[2] / "sae" / "formats" / "fixtures" / "crosscoders"
NORMALISATIONS = ["CROSSCODER", "SAE", "MIXED", "NONE", "DECOUPLED"]


def compute(state, x):
    """x [rows, layers, d] in double precision."""
    p = {name: value.double() for name, value in state.items()}
    f = torch.relu(torch.einsum("bld,ldf->bf", x, p["encoder.weight"]) + p["encoder.bias"])
    if "threshold" in p:
        dec = p["decoder.weight"]
        size = {
            1: dec.norm(dim=2).sum(0),
            2: dec.permute(1, 0, 2).flatten(1).norm(dim=1),
            4: torch.ones(dec.shape[1]).double(),
        }[int(state["code_normalization_id"])]
        f = f * (f * size > p["threshold"])
    return f, torch.einsum("bf,lfd->bld", f, p["decoder.weight"]) + p["decoder.bias"]


def write(case, dict_class, normalisation, threshold=None):
    state = {
        "code_normalization_id": torch.tensor(NORMALISATIONS.index(normalisation) + 1),
        "encoder.weight": torch.randn(LAYERS, D, LATENTS) / D**0.5,
        "encoder.bias": torch.randn(LATENTS) * 0.2,
        "decoder.weight": torch.randn(LAYERS, LATENTS, D) * torch.rand(1, LATENTS, 1) / D**0.5,
        "decoder.bias": torch.randn(LAYERS, D) * 0.3,
    }
    if threshold is not None:
        state |= {"k": torch.tensor(K, dtype=torch.int), "threshold": torch.tensor(threshold)}
    x = torch.randn(ROWS, LAYERS, D)
    f, x_hat = compute(state, x.double())
    folder = TARGET / case
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "ae.pt")
    trainer = {"dict_class": dict_class, "activation_dim": D, "dict_size": LATENTS, "code_normalization": normalisation}
    (folder / "config.json").write_text(json.dumps({"trainer": trainer}) + "\n")
    expected = {
        "kind": dict_class,
        "version": "state dict of the fork",
        "x": x.flatten(1).tolist(),
        "activations": f.tolist(),
        "reconstruction": x_hat.flatten(1).tolist(),
    }
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


def check(folder):
    folder = pathlib.Path(folder)
    state = torch.load(folder / "ae.pt", weights_only=True)
    expected = json.loads((folder / "expected.json").read_text())
    layers, width, _ = state["encoder.weight"].shape
    x = torch.tensor(expected["x"]).double().reshape(-1, layers, width)
    f, x_hat = compute(state, x)
    worst = [
        float((f - torch.tensor(expected["activations"]).double()).abs().max()),
        float((x_hat.flatten(1) - torch.tensor(expected["reconstruction"]).double()).abs().max()),
    ]
    print(json.dumps({"folder": folder.name, "activations": worst[0], "reconstruction": worst[1]}))


if len(sys.argv) == 3 and sys.argv[1] == "--check":
    check(sys.argv[2])
else:
    torch.manual_seed(20261129)
    write("relu", "CrossCoder", "CROSSCODER")
    write("batchtopk", "BatchTopKCrossCoder", "CROSSCODER", threshold=0.35)
    write("batchtopk-sae", "BatchTopKCrossCoder", "SAE", threshold=0.25)
    write("batchtopk-none", "BatchTopKCrossCoder", "NONE", threshold=0.6)
