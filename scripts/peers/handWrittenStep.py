"""The fastest training steps in PyTorch that we could write: gradients by hand instead of autograd, and PyTorch's own
fused Adam. Losses are SAELens's, so that its autograd checks them.

`sparse`: one dense product a step. The entries that fire are listed; decoding and both weight gradients are embedding
bags over them (PyTorch's fastest sparse sum on a CPU: vectorised, and its threads share the rows), and the derivative
of an entry is the embedding bag's gradient of its weight. `dense`: five products, what ReLU and JumpReLU come to where
nothing is sparse.
"""

import torch
import torch.nn.functional as F

from plantedActivations import LEARNING_RATE, Problem

SUM = 0  # embedding_bag's mode


class HandWrittenStep:
    def __init__(self, problem: Problem, sparse: bool, sparsity_coefficient: float = 1.0):
        width, d = problem.directions.shape
        self.architecture, self.k, self.sparse = problem.architecture, problem.k, sparse
        self.bandwidth, self.coefficient = problem.bandwidth, sparsity_coefficient
        self.w_enc = problem.directions.clone()  # [latents, d]
        self.w_dec = problem.directions.clone()  # [latents, d]
        self.b_enc = torch.full((width,), -problem.cut if self.architecture == "relu" else 0.0)
        self.b_dec = torch.zeros(d)
        self.threshold = torch.full((width,), problem.cut)
        self.parameters = [self.w_enc, self.b_enc, self.w_dec, self.b_dec]
        if self.architecture == "jumprelu":
            self.parameters.append(self.threshold)
        self.optimizer = torch.optim.Adam(self.parameters, lr=LEARNING_RATE, fused=True)

    @torch.no_grad()
    def __call__(self, x: torch.Tensor) -> float:
        """One optimiser step on x [batch, d]; returns the mean number of latents that fired."""
        gradients, active = self.gradients(x)
        for parameter, gradient in zip(self.parameters, gradients):
            parameter.grad = gradient
        if self.architecture == "topk":
            # Unit rows: the part of the gradient along the row is removed (Gao et al., section 2.1).
            along = torch.linalg.vecdot(self.w_dec.grad, self.w_dec)
            self.w_dec.grad.addcmul_(along[:, None], self.w_dec, value=-1)
        else:
            torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        if self.architecture == "topk":
            self.w_dec.div_(self.w_dec.norm(dim=1, keepdim=True))
        return active

    def gradients(self, x: torch.Tensor):
        """Of the mean over the batch of ‖x − x̂‖² + λ·sparsity, in the order of `parameters`; and the mean L0."""
        centred = x - self.b_dec
        z = torch.addmm(self.b_enc, centred, self.w_enc.T)
        return self._sparse(x, centred, z) if self.sparse else self._dense(x, centred, z)

    def _sparse(self, x, centred, z):
        batch, width = z.shape
        if self.architecture == "topk":
            values, latents = z.topk(self.k, dim=1, sorted=False)
            values, latents = values.flatten(), latents.flatten()
            fires = values > 0
            starts = torch.arange(0, batch * self.k, self.k)
            rows = torch.arange(batch).repeat_interleave(self.k)
        else:
            listed = z > (0 if self.architecture == "relu" else self.threshold - self.bandwidth / 2)
            rows, latents = listed.nonzero(as_tuple=True)
            values = z[rows, latents]
            fires = values > (0 if self.architecture == "relu" else self.threshold[latents])
            starts = F.pad(torch.bincount(rows, minlength=batch).cumsum(0)[:-1], (1, 0))
        acts = values * fires
        decoded = F.embedding_bag(latents, self.w_dec, starts, mode="sum", per_sample_weights=acts)
        error = decoded.add_(self.b_dec).sub_(x).mul_(2 / batch)  # dLoss/dx̂ [batch, d]
        by_entry = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            error, self.w_dec, latents, starts, rows, SUM
        )
        gradient_z = by_entry * fires
        gradient_threshold = None
        if self.architecture == "relu":
            norms = self.w_dec.norm(dim=1)
            gradient_z += (self.coefficient / batch) * norms[latents] * fires
        elif self.architecture == "jumprelu":
            threshold = self.threshold[latents]
            in_band = ((values - threshold).abs() < self.bandwidth / 2) / self.bandwidth
            of_entries = -in_band * (threshold * by_entry + self.coefficient / batch)
            gradient_threshold = torch.bincount(latents, of_entries, width)
        order = latents.argsort(stable=True)
        latent_starts = F.pad(torch.bincount(latents, minlength=width).cumsum(0)[:-1], (1, 0))
        ordered = rows[order]

        def gradient_rows(of, weights):
            return F.embedding_bag(ordered, of, latent_starts, mode="sum", per_sample_weights=weights[order])

        gradient_w_dec = gradient_rows(error, acts)
        gradient_w_enc = gradient_rows(centred, gradient_z)
        gradient_b_enc = torch.bincount(latents, gradient_z, width)
        if self.architecture == "relu":
            pull = torch.bincount(latents, acts, width).mul_(self.coefficient / batch).div_(norms)
            gradient_w_dec.addcmul_(pull[:, None], self.w_dec)
        return self._collect(
            gradient_w_enc, gradient_b_enc, gradient_w_dec, error, gradient_threshold
        ), fires.sum().item() / batch

    def _dense(self, x, centred, z):
        batch, _ = z.shape
        threshold = self.threshold if self.architecture == "jumprelu" else 0
        fires = z > threshold
        acts = z * fires
        error = torch.addmm(self.b_dec, acts, self.w_dec).sub_(x).mul_(2 / batch)
        by_entry = error @ self.w_dec.T
        gradient_w_dec = acts.T @ error
        gradient_threshold = None
        if self.architecture == "relu":
            norms = self.w_dec.norm(dim=1)
            pull = acts.sum(0).mul_(self.coefficient / batch).div_(norms)
            gradient_w_dec.addcmul_(pull[:, None], self.w_dec)
            by_entry.add_(norms, alpha=self.coefficient / batch)
        else:
            in_band = ((z - threshold).abs() < self.bandwidth / 2) / self.bandwidth
            gradient_threshold = -(in_band * (threshold * by_entry + self.coefficient / batch)).sum(0)
        gradient_z = by_entry.mul_(fires)
        return self._collect(
            gradient_z.T @ centred, gradient_z.sum(0), gradient_w_dec, error, gradient_threshold
        ), fires.sum().item() / batch

    def _collect(self, w_enc, b_enc, w_dec, error, threshold):
        # x̂ holds b_dec once, and every pre-activation holds it through x − b_dec.
        b_dec = error.sum(0) - b_enc.to(self.w_enc.dtype) @ self.w_enc
        gradients = [w_enc, b_enc.to(self.b_enc.dtype), w_dec, b_dec]
        return gradients if threshold is None else [*gradients, threshold.to(self.threshold.dtype)]


def hand_written_step(problem: Problem, sparse: bool, compiled: bool = False):
    made = HandWrittenStep(problem, sparse)
    if compiled:
        made.gradients = torch.compile(made.gradients)
    return made, lambda active: active
