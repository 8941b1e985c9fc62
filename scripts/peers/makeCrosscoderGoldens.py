"""Losses, activations, reconstructions and gradients of crosscoders, in double precision by PyTorch's autograd.

    python scripts/peers/makeCrosscoderGoldens.py

writes sae/autoencoders/fixtures/crosscoders.json. Layers are kept apart, as Lindsey et al. (2024, "Sparse Crosscoders for Cross-Layer Features
and Model Diffing") write them: f = ReLU(sum over l of W_enc^l x^l + b_enc), x_hat^l = W_dec^l f + b_dec^l. ReLU has the penalty of that text, an
activation times the sum of its decoder norms. TopK and BatchTopK choose by the same product (Minder et al. 2504.02922, section 3), JumpReLU by its
threshold; their decoders have a sum of norms of 1. Nothing is shared with the product.
"""

import json
import pathlib

import torch

torch.manual_seed(20261128)
torch.set_default_dtype(torch.float64)
ROWS, WIDTHS, LATENTS, K, ALPHA = 12, [4, 3, 5], 20, 3, 0.3
DEAD = [2, 5, 11, 17]
TARGET = pathlib.Path(__file__).resolve().parents[2] / "sae" / "autoencoders" / "fixtures" / "crosscoders.json"
LAYERS = range(len(WIDTHS))

common = torch.randn(ROWS, 6)
sizes = torch.linspace(0.3, 1.8, ROWS)[:, None]
xs = [(common @ torch.randn(6, d) * 0.5 + torch.randn(ROWS, d) * 0.4 + torch.randn(d) * 0.3) * sizes for d in WIDTHS]


def draw(unit):
    enc = [torch.randn(LATENTS, d) / d**0.5 for d in WIDTHS]
    dec = [torch.randn(LATENTS, d) * torch.rand(LATENTS, 1) for d in WIDTHS]
    if unit:
        size = sum(each.norm(dim=1, keepdim=True) for each in dec)
        dec = [each / size for each in dec]
    p = {f"W_enc{l}": enc[l] for l in LAYERS} | {f"W_dec{l}": dec[l] for l in LAYERS}
    p |= {f"b_dec{l}": torch.randn(WIDTHS[l]) * 0.2 for l in LAYERS} | {"b_enc": torch.randn(LATENTS) * 0.2}
    return {name: value.clone().requires_grad_(True) for name, value in p.items()}


def array(tensor):
    values = [float(f"{v:.9g}") for v in tensor.detach().flatten().tolist()]
    return {"shape": list(tensor.shape), "data": values}


def beside(parts, name):
    """One matrix of the layers' blocks side by side."""
    return torch.cat([parts[f"{name}{l}"] for l in LAYERS], dim=-1)


def decoder_sizes(p):
    return sum(p[f"W_dec{l}"].norm(dim=1) for l in LAYERS)


def decode(p, f, bias=True):
    return [f @ p[f"W_dec{l}"] + (p[f"b_dec{l}"] if bias else 0) for l in LAYERS]


def squares(pairs):
    return sum(((a - b) ** 2).sum() for a, b in pairs)


def about_mean(parts):
    return sum(((part - part.mean(0)) ** 2).sum() for part in parts)


def aux_k(p, rectified, reconstructions):
    left = [(x - each).detach() for x, each in zip(xs, reconstructions)]
    half = sum(WIDTHS) // 2
    among = torch.full_like(rectified, -1.0)
    among[:, DEAD] = rectified[:, DEAD] * decoder_sizes(p)[DEAD]
    places = among.topk(min(half, len(DEAD)), dim=1).indices
    kept = torch.zeros_like(rectified).scatter(1, places, rectified.gather(1, places))
    return min(len(DEAD) / half, 1) * squares(zip(left, decode(p, kept, bias=False))) / about_mean(left)


def chosen(p, rectified, of_batch):
    """The activations whose product with the sum of their decoder norms is among the largest."""
    rank = rectified * decoder_sizes(p)
    rank = rank.flatten()[None] if of_batch else rank
    places = rank.topk(K * ROWS if of_batch else K, dim=1).indices
    mask = torch.zeros_like(rank).scatter(1, places, 1.0).reshape(rectified.shape)
    return rectified * mask


class Jump(torch.autograd.Function):
    """z·H(z − θ) with the pseudo-derivative −(θ/ε)·K((z − θ)/ε) by θ, and H(z − θ) with −(1/ε)·K (2407.14435, eqs. 11 and 12)."""

    @staticmethod
    def forward(context, z, threshold, width):
        context.save_for_backward(z, threshold)
        context.width = width
        on = (z > threshold).double()
        return z * on, on

    @staticmethod
    def backward(context, by_value, by_step):
        z, threshold = context.saved_tensors
        near = ((z - threshold).abs() < context.width / 2).double() / context.width
        by_threshold = -(near * (by_value * threshold + by_step)).sum(0)
        return by_value * (z > threshold).double(), by_threshold, None


def crosscoder(name, coefficient=0.0, bandwidth=0.0):
    p = draw(unit=name != "relu")
    if name == "jumprelu":
        p["log_threshold"] = (torch.randn(LATENTS) * 0.3 - 0.7).requires_grad_(True)
    z = sum(xs[l] @ p[f"W_enc{l}"].T for l in LAYERS) + p["b_enc"]
    rectified = torch.relu(z)
    if name == "jumprelu":
        f, on = Jump.apply(z, p["log_threshold"].exp(), bandwidth)
    else:
        f = rectified if name == "relu" else chosen(p, rectified, name == "batchtopk")
    reconstructions = decode(p, f)
    error = squares(zip(xs, reconstructions))
    if name == "relu":
        loss = error / ROWS + coefficient * (f * decoder_sizes(p)).sum(1).mean()
    elif name == "jumprelu":
        loss = error / ROWS + coefficient * on.sum(1).mean()
    else:
        loss = error / about_mean(xs) + ALPHA * aux_k(p, rectified, reconstructions)
    loss.backward()

    def together(values):
        names = {each: array(beside(values, each)) for each in ("W_enc", "W_dec", "b_dec")}
        return names | {each: array(values[each]) for each in ("b_enc", "log_threshold") if each in values}

    return {
        "lambda": coefficient,
        "bandwidth": bandwidth,
        "parameters": together(p),
        "loss": float(loss.detach()),
        "sizes": array(decoder_sizes(p)),
        "f": array(f),
        "x_hat": array(torch.cat(reconstructions, dim=1)),
        "gradients": together({each: value.grad for each, value in p.items()}),
    }


document = {
    "k": K,
    "alpha": ALPHA,
    "dead": DEAD,
    "widths": WIDTHS,
    "x": array(torch.cat(xs, dim=1)),
    "cases": {
        "relu": crosscoder("relu", coefficient=0.4),
        "topk": crosscoder("topk"),
        "jumprelu": crosscoder("jumprelu", coefficient=0.2, bandwidth=0.5),
        "batchtopk": crosscoder("batchtopk"),
    },
}
TARGET.write_text(json.dumps(document) + "\n")
