"""Losses, activations, reconstructions and gradients of architectures, in double precision by PyTorch's autograd.

    python scripts/peers/makeArchitectureGoldens.py

writes sae/autoencoders/fixtures/architectures.json. Each loss is written from its paper and shares nothing with the
product: ReLU (Towards Monosemanticity, 2023, April 2024 update), TopK (2406.04093), JumpReLU (2407.14435), BatchTopK (2412.06410), Gated
(2404.16014), Matryoshka (2503.17547), and transcoders (2406.11944) and skip transcoders (2501.18823, between two widths) with the activation
functions of ReLU, TopK, JumpReLU, BatchTopK and Gated, and with nested prefixes over BatchTopK and TopK. Arrays are row-major; W_enc and W_dec
are [latents, d], W_skip is [outputs, d].
"""

import json
import pathlib

import torch

torch.manual_seed(20261127)
torch.set_default_dtype(torch.float64)
ROWS, D, OUTPUTS, LATENTS, K, ALPHA = 18, 10, 13, 32, 4, 0.3
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


def aux_k(p, rectified, reconstruction, target=None):
    left = ((x if target is None else target) - reconstruction).detach()
    half = left.shape[1] // 2
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


def linear(p):
    """What the skip connection adds to every prediction (2501.18823, section 3)."""
    return x @ p["W_skip"].T if "W_skip" in p else 0


def plain(name, given, target, coefficient=0.0, bandwidth=0.0, centred=False):
    """
    A transcoder (2406.11944, section 3.1): the encoder reads x, without b_dec; the decoder predicts the target. An autoencoder's encoder is
    `centred`, that of JumpReLU excepted, and its target is x.
    """
    log_threshold = {"log_threshold": torch.randn(LATENTS) * 0.3 - 0.7} if name == "jumprelu" else {}
    p = leaves(given | log_threshold)
    z = (x - p["b_dec"] if centred else x) @ p["W_enc"].T + p["b_enc"]
    rectified = torch.relu(z)
    own = {"lambda": coefficient, "bandwidth": bandwidth}
    if name == "jumprelu":
        f, on = Jump.apply(z, p["log_threshold"].exp(), bandwidth)
        own["parameters"] = {key: array(value) for key, value in log_threshold.items()}
    else:
        f = {"relu": lambda: rectified, "topk": lambda: of_row(rectified), "batchtopk": lambda: of_batch(rectified)}[name]()
    prediction = f @ p["W_dec"] + p["b_dec"] + linear(p)
    squares = ((target - prediction) ** 2).sum()
    if name == "relu":
        loss = squares / ROWS + coefficient * (f * p["W_dec"].norm(dim=1)).sum(1).mean()
    elif name == "jumprelu":
        loss = squares / ROWS + coefficient * on.sum(1).mean()
    else:
        loss = squares / about_mean(target) + ALPHA * aux_k(p, rectified, prediction, target)
    return own | finish(p, loss, f=f, x_hat=prediction)


def nested_transcoder(choose, given, target, prefixes):
    p = leaves(given)
    rectified = torch.relu(x @ p["W_enc"].T + p["b_enc"])
    f = choose(rectified)
    predictions = [f[:, :size] @ p["W_dec"][:size] + p["b_dec"] + linear(p) for size in prefixes]
    nested = sum(((target - each) ** 2).sum() for each in predictions) / about_mean(target)
    loss = nested + ALPHA * aux_k(p, rectified, predictions[-1], target)
    return {"prefixes": prefixes, "lambda": 0, "bandwidth": 0} | finish(p, loss, f=f, x_hat=predictions[-1])


def gated_transcoder(given, target, coefficient):
    """As `gated`, with the encoder on x and both reconstructions of the target. The gate's teaches the gate alone."""
    extra = {"r_mag": torch.randn(LATENTS) * 0.3, "b_mag": torch.randn(LATENTS) * 0.3}
    p = leaves(given | extra)
    gate = x @ p["W_enc"].T + p["b_enc"]
    magnitude = torch.relu(x @ (p["r_mag"].exp()[:, None] * p["W_enc"]).T + p["b_mag"])
    f = (gate > 0).double() * magnitude
    prediction = f @ p["W_dec"] + p["b_dec"] + linear(p)
    by_gate = torch.relu(gate)
    constant = {name: value.detach() for name, value in p.items()}
    auxiliary = by_gate @ constant["W_dec"] + constant["b_dec"] + linear(constant)
    loss = ((target - prediction) ** 2).sum(1).mean() + ((target - auxiliary) ** 2).sum(1).mean()
    loss = loss + coefficient * by_gate.sum(1).mean()
    own = {"lambda": coefficient, "bandwidth": 0, "parameters": {name: array(v) for name, v in extra.items()}}
    return own | finish(p, loss, f=f, x_hat=prediction)


# Drawn after everything else, so that what was written before stays as it was.
def transcoders(given, target):
    return {
        "relu": plain("relu", given, target, coefficient=0.4),
        "topk": plain("topk", given, target),
        "jumprelu": plain("jumprelu", given, target, coefficient=0.2, bandwidth=0.5),
        "batchtopk": plain("batchtopk", given, target),
        "gated": gated_transcoder(given, target, 0.7),
        "matryoshka": nested_transcoder(of_batch, given, target, [3, 9, 20, LATENTS]),
        "matryoshkatopk": nested_transcoder(of_row, given, target, [5, 16, LATENTS]),
    }


def skip_transcoders():
    """From width 10 to width 13, with parameters and a target of their own."""
    target = torch.randn(ROWS, OUTPUTS) @ torch.randn(OUTPUTS, OUTPUTS) * 0.4 + x @ torch.randn(D, OUTPUTS) * 0.3
    given = {
        "W_enc": PARAMETERS["W_enc"],
        "b_enc": PARAMETERS["b_enc"],
        "W_dec": torch.randn(LATENTS, OUTPUTS) / OUTPUTS**0.5,
        "b_dec": torch.randn(OUTPUTS) * 0.2,
        "W_skip": torch.randn(OUTPUTS, D) * 0.3,
    }
    drawn = {name: array(given[name]) for name in ["W_dec", "b_dec", "W_skip"]}
    return {"y": array(target), "parameters": drawn, "cases": transcoders(given, target)}


def autoencoders():
    return {
        "relu": plain("relu", PARAMETERS, x, coefficient=0.4, centred=True),
        "topk": plain("topk", PARAMETERS, x, centred=True),
        "jumprelu": plain("jumprelu", PARAMETERS, x, coefficient=0.2, bandwidth=0.5),
    }


cases = {
    "batchtopk": batch_top_k(),
    "gated": gated(0.7),
    "matryoshka": matryoshka(of_batch, [3, 9, 20, LATENTS]),
    "matryoshka_topk": matryoshka(of_row, [5, 16, LATENTS]),
}
y = torch.randn(ROWS, D) @ torch.randn(D, D) * 0.6 + torch.randn(D) * 0.5
document = {
    "k": K,
    "alpha": ALPHA,
    "dead": DEAD,
    "x": array(x),
    "parameters": {name: array(value) for name, value in PARAMETERS.items()},
    "cases": cases,
    "y": array(y),
    "transcoders": transcoders(PARAMETERS, y),
    "skipTranscoders": skip_transcoders(),
    "autoencoders": autoencoders(),
}
TARGET.parent.mkdir(exist_ok=True)
TARGET.write_text(json.dumps(document) + "\n")
