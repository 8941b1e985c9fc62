"""Writes what POT (pip install POT) and SciPy find on a small case to sae/comparison/matchings/fixtures/sinkhorn.json:
balanced and unbalanced entropic transport on all pairs and on some, the assignment, and a sliced Wasserstein distance."""

import json
import sys
from pathlib import Path

import numpy as np
import ot
from scipy.optimize import linear_sum_assignment

random = np.random.default_rng(3)
rows, columns = 7, 9
weight = np.round(random.uniform(-0.2, 1, (rows, columns)), 6)
allowed = random.uniform(size=(rows, columns)) < 0.45
allowed[np.arange(rows), np.arange(rows)] = True
allowed[0, 7:] = True
cost = 1 - weight
a, b = np.full(rows, 1 / rows), np.full(columns, 1 / columns)


def unbalanced(cost, epsilon, rho):
    return ot.unbalanced.sinkhorn_unbalanced(
        a, b, cost, reg=epsilon, reg_m=rho, method="sinkhorn_stabilized", reg_type="kl", c=np.outer(a, b),
        numItermax=200_000, stopThr=1e-14,
    )  # fmt: skip


balanced = ot.sinkhorn(a, b, cost, reg=0.07, method="sinkhorn_log", numItermax=200_000, stopThr=1e-14)
# A pair that is no candidate costs so much that nothing goes there.
some = np.where(allowed, cost, 1e3)

x, y = random.normal(size=(12, 5)), random.normal(0.4, 1.5, size=(12, 5))
directions = random.normal(size=(6, 5))
directions /= np.linalg.norm(directions, axis=1, keepdims=True)
sliced = ot.sliced_wasserstein_distance(x, y, projections=directions.T, p=2)
p = random.uniform(0.1, 1, 12)
weighted = ot.sliced_wasserstein_distance(x, y, a=p / p.sum(), projections=directions.T, p=2)

square = weight[:, :rows]
found = {
    "versions": {"POT": ot.__version__, "numpy": np.__version__},
    "weight": weight.tolist(),
    "allowed": allowed.astype(int).tolist(),
    "balanced": {"epsilon": 0.07, "plan": balanced.tolist()},
    "unbalanced": {"epsilon": 0.05, "rho": 0.4, "plan": unbalanced(cost, 0.05, 0.4).tolist()},
    "some": {"epsilon": 0.05, "rho": 0.4, "plan": unbalanced(some, 0.05, 0.4).tolist()},
    "assignment": linear_sum_assignment(square, maximize=True)[1].tolist(),
    "sliced": {
        "x": x.tolist(), "y": y.tolist(), "directions": directions.tolist(), "weights": p.tolist(),
        "distance": float(sliced), "weighted": float(weighted),
    },
}  # fmt: skip
path = Path(__file__).parents[2] / "sae/comparison/matchings/fixtures/sinkhorn.json"
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps(found))
print(found["versions"], file=sys.stderr)
