"""Losses, activations, reconstructions and gradients of architectures, in double precision by PyTorch's autograd.

    python scripts/peers/makeArchitectureGoldens.py

writes sae/autoencoders/fixtures/architectures.json. Each loss is written from its paper and shares nothing with the
product: BatchTopK (2412.06410), Gated (2404.16014) and Matryoshka (2503.17547). Arrays are row-major; W_enc and W_dec
are [latents, d].
"""

import json
import pathlib

import torch

torch.manual_seed(20261127)
torch.set_default_dtype(torch.float64)
ROWS, D, LATENTS, K, ALPHA = 18, 10, 32, 4, 0.3
DEAD = [2, 5, 11, 17, 23, 30]
TARGET = pathlib.Path(__file__).resolve().parents[2] / "sae" / "autoencoders" / "fixtures" / "architectures.json"

x = torch.randn(ROWS, D) @ torch.randn(D, D) * 0.5 + torch.randn(D) * 0.3
# Rows of different sizes, so that a batch shares its k · rows entries unevenly.
x = x * torch.linspace(0.3, 1.8, ROWS)[:, None]
PARAMETERS = {
    "W_enc": torch.randn(LATENTS, D) / D**0.5,
    "b_enc": torch.randn(LATENTS) * 0.2,
    "W_dec": torch.randn(LATENTS, D) / D**0.5,
    "b_dec": torch.randn(D) * 0.2,
}


def array(tensor):
    values = [float(f"{v:.10g}") for v in tensor.detach().flatten().tolist()]
    return {"shape": list(tensor.shape), "data": values}


def leaves(parameters):
    return {name: value.clone().requires_grad_(True) for name, value in parameters.items()}


def about_mean(rows):
    return ((rows - rows.mean(0)) ** 2).sum()


def aux_k(p, rectified, reconstruction):
    left = (x - reconstruction).detach()
    half = D // 2
    among = torch.full_like(rectified, -1.0)
    among[:, DEAD] = rectified[:, DEAD]
    values, places = among.topk(min(half, len(DEAD)), dim=1)
    explained = torch.zeros_like(rectified).scatter(1, places, values) @ p["W_dec"]
    return min(len(DEAD) / half, 1) * ((left - explained) ** 2).sum() / about_mean(left)


def of_batch(rectified):
    values, places = rectified.flatten().topk(K * ROWS)
    return torch.zeros(rectified.numel()).scatter(0, places, values).reshape(rectified.shape)


def of_row(rectified):
    values, places = rectified.topk(K, dim=1)
    return torch.zeros_like(rectified).scatter(1, places, values)


def finish(p, loss, **values):
    loss.backward()
    written = {name: float(v.detach()) if v.ndim == 0 else array(v) for name, v in values.items()}
    return {"loss": float(loss.detach()), **written, "gradients": {name: array(v.grad) for name, v in p.items()}}


def batch_top_k():
    p = leaves(PARAMETERS)
    rectified = torch.relu((x - p["b_dec"]) @ p["W_enc"].T + p["b_enc"])
    f = of_batch(rectified)
    reconstruction = f @ p["W_dec"] + p["b_dec"]
    fvu = ((x - reconstruction) ** 2).sum() / about_mean(x)
    aux = aux_k(p, rectified, reconstruction)
    assert len({int(n) for n in (f > 0).sum(1)}) > 3
    return {"least": float(f[f > 0].min().detach())} | finish(
        p, fvu + ALPHA * aux, fvu=fvu, auxk=aux, f=f, x_hat=reconstruction
    )


def matryoshka(choose, prefixes):
    p = leaves(PARAMETERS)
    rectified = torch.relu((x - p["b_dec"]) @ p["W_enc"].T + p["b_enc"])
    f = choose(rectified)
    reconstructions = [f[:, :size] @ p["W_dec"][:size] + p["b_dec"] for size in prefixes]
    nested = sum(((x - each) ** 2).sum() for each in reconstructions) / about_mean(x)
    aux = aux_k(p, rectified, reconstructions[-1])
    return {"prefixes": prefixes} | finish(
        p, nested + ALPHA * aux, nested=nested, auxk=aux, f=f, x_hat=reconstructions[-1]
    )


def gated(coefficient):
    """§3.2 of 2404.16014: the gate has the weights W_enc and the bias b_enc, magnitudes have exp(r_mag)·W_enc and b_mag."""
    extra = {"r_mag": torch.randn(LATENTS) * 0.3, "b_mag": torch.randn(LATENTS) * 0.3}
    p = leaves(PARAMETERS | extra)
    centred = x - p["b_dec"]
    gate = centred @ p["W_enc"].T + p["b_enc"]
    magnitude = torch.relu(centred @ (p["r_mag"].exp()[:, None] * p["W_enc"]).T + p["b_mag"])
    f = (gate > 0).double() * magnitude
    reconstruction = f @ p["W_dec"] + p["b_dec"]
    by_gate = torch.relu(gate)
    auxiliary = by_gate @ p["W_dec"].detach() + p["b_dec"].detach()
    mse = ((x - reconstruction) ** 2).sum(1).mean()
    sparsity = coefficient * by_gate.sum(1).mean()
    aux = ((x - auxiliary) ** 2).sum(1).mean()
    return {"lambda": coefficient, "parameters": {name: array(v) for name, v in extra.items()}} | finish(
        p, mse + sparsity + aux, mse=mse, sparsity=sparsity, auxiliary=aux, f=f, x_hat=reconstruction
    )


cases = {
    "batchtopk": batch_top_k(),
    "gated": gated(0.7),
    "matryoshka": matryoshka(of_batch, [3, 9, 20, LATENTS]),
    "matryoshka_topk": matryoshka(of_row, [5, 16, LATENTS]),
}
document = {
    "k": K,
    "alpha": ALPHA,
    "dead": DEAD,
    "x": array(x),
    "parameters": {name: array(value) for name, value in PARAMETERS.items()},
    "cases": cases,
}
TARGET.parent.mkdir(exist_ok=True)
TARGET.write_text(json.dumps(document) + "\n")
