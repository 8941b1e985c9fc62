"""Prints ranks, principal angles and shares of two small sets of directions by numpy and scipy, as the test of measureSubspaces has them."""

import json

import numpy as np
from scipy.linalg import subspace_angles

a = np.array([[1, 2, 0, -1], [0.5, -1, 3, 2], [2, 0.25, 1, 1]], float)
b = np.array([[0, 1, 1, 0], [2, -1, 0, 1], [1, 1, 1, 3], [-1, 2, 0, 1], [0.5, 0, 0, 2]], float)
a /= np.linalg.norm(a, axis=1, keepdims=True)
b /= np.linalg.norm(b, axis=1, keepdims=True)


def spectrum(rows):
    _, values, vectors = np.linalg.svd(rows, full_matrices=False)
    return values**2, vectors


found = {"pr": [], "er": []}
for rows in (a, b):
    values, _ = spectrum(rows)
    share = values / values.sum()
    found["pr"].append(values.sum() ** 2 / (values**2).sum())
    found["er"].append(float(np.exp(-(share * np.log(share)).sum())))
leading_a, leading_b = spectrum(a)[1][:2], spectrum(b)[1][:2]
found["cosines"] = sorted(np.cos(subspace_angles(leading_a.T, leading_b.T)).tolist(), reverse=True)
found["shares"] = ((a @ leading_b.T) ** 2).sum(1).tolist()
print(json.dumps({key: [round(float(value), 9) for value in values] for key, values in found.items()}))
