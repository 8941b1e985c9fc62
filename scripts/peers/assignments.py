"""The matchings of sae/comparison against SciPy's dense solver, on random problems of up to 2,048 latents.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install numpy scipy
    /tmp/peers/bin/python scripts/peers/assignments.py --problems 60 --seed 0

Directions are drawn here; solveAssignments.ts solves each problem with the dense and with the sparse solver and writes
the cosine matrix it solved, which SciPy then solves too. The dense solver must reach SciPy's weight; the sparse one must
reach it to within the gap it reports, and that gap must be at most the one asked for.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from scipy.optimize import linear_sum_assignment

KINDS = ["unrelated", "related", "duplicates", "families", "zeros"]
GAP = 1e-4


def unit(rows):
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(norm > 0, norm, 1)).astype(np.float32)


def draw(random, kind, rows, columns, d):
    a = random.standard_normal((rows, d))
    b = random.standard_normal((columns, d))
    if kind == "related":
        both = min(rows, columns)
        noise = random.choice([0.05, 0.5, 3.0], size=(both, 1))
        b[random.permutation(columns)[:both]] = a[:both] + noise * random.standard_normal((both, d))
    if kind == "duplicates":
        a[::4], b[::5] = a[0], a[0]
    if kind == "families":
        centres = random.standard_normal((max(1, rows // 8), d))
        a = 0.5 * a + centres[random.integers(len(centres), size=rows)]
        b = 0.5 * b + centres[random.integers(len(centres), size=columns)]
    if kind == "zeros":
        a[random.random(rows) < 0.1], b[random.random(columns) < 0.1] = 0, 0
    return unit(a), unit(b)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--problems", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=int, default=2048)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    here = pathlib.Path(__file__).parent
    worst = 0.0
    seconds = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        problems = []
        for i in range(options.problems):
            kind = KINDS[i % len(KINDS)]
            rows, columns = (int(2 ** random.uniform(1, np.log2(options.most))) for _ in range(2))
            if i % 3 == 0:
                columns = rows
            if i < len(KINDS):
                rows = columns = options.most
            d = int(random.choice([8, 64, 256]))
            a, b = draw(random, kind, rows, columns, d)
            a.tofile(folder / f"{i}.a")
            b.tofile(folder / f"{i}.b")
            problems.append({"kind": kind, "rows": rows, "columns": columns, "d": d})
        (folder / "problems.json").write_text(json.dumps({"gap": GAP, "problems": problems}))
        subprocess.run(["npx", "tsx", here / "solveAssignments.ts", folder], check=True)
        answers = json.loads((folder / "answers.json").read_text())
        for i, (problem, answer) in enumerate(zip(problems, answers, strict=True)):
            shape = (problem["rows"], problem["columns"])
            matrix = np.fromfile(folder / f"{i}.matrix", np.float32).reshape(shape).astype(np.float64)
            started = time.perf_counter()
            chosen = linear_sum_assignment(matrix, maximize=True)
            seconds += time.perf_counter() - started
            best = matrix[chosen].sum()
            scale = max(1.0, abs(best))
            dense = abs(answer["dense"] - best) / scale
            sparse = (best - answer["sparse"]) / scale
            worst = max(worst, dense)
            if dense > 1e-9:
                sys.exit(f"problem {i} {problem}: dense {answer['dense']} against SciPy's {best}")
            if sparse > answer["gap"] + 1e-6 or sparse < -1e-6 or answer["gap"] > GAP:
                sys.exit(f"problem {i} {problem}: sparse {answer['sparse']} (gap {answer['gap']}) against {best}")
    print(
        f"{options.problems} problems of up to {options.most}: the dense solver's weight is SciPy's to {worst:.1e}, "
        f"the sparse solver's within its gap of at most {GAP:g}; SciPy took {seconds:.1f} s."
    )


if __name__ == "__main__":
    main()
