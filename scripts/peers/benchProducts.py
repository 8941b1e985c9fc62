"""Float32 products in NumPy's OpenBLAS and in PyTorch's BLAS.

    python scripts/peers/benchProducts.py --threads 2 --library torch
    OPENBLAS_CORETYPE=Zen python scripts/peers/benchProducts.py --threads 2 --library numpy

OpenBLAS reads OPENBLAS_CORETYPE when it is loaded, so that each core type takes a process of its own; the kernel that
runs is the one that threadpoolctl reports. Prints one JSON document with the best GFLOP/s of several runs for each
shape, as `lazyscope bench gemm` reports its best.
"""

import argparse
import json
import sys
import time
from importlib.metadata import version

SHAPES = [(1024, 768, 8192), (2048, 768, 12_288)]


def measure(library: str, tries: int):
    import numpy as np

    random = np.random.default_rng(0)
    for rows, depth, columns in SHAPES:
        a = random.standard_normal((rows, depth), dtype=np.float32)
        b = random.standard_normal((depth, columns), dtype=np.float32)
        out = np.empty((rows, columns), dtype=np.float32)
        if library == "torch":
            import torch

            ta, tb, tout = torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(out)

            def product(ta=ta, tb=tb, tout=tout):
                torch.mm(ta, tb, out=tout)
        else:

            def product(a=a, b=b, out=out):
                np.matmul(a, b, out=out)

        product()
        wanted = a[:8].astype(np.float64) @ b.astype(np.float64)
        if not np.abs(out[:8] - wanted).max() < 1e-3:
            raise SystemExit(f"{library} computes wrong products")
        best = float("inf")
        for _ in range(tries):
            before = time.perf_counter()
            product()
            best = min(best, time.perf_counter() - before)
        yield {"shape": [rows, depth, columns], "gflops": 2e-9 * rows * depth * columns / best}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", choices=["numpy", "torch"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--tries", type=int, default=5)
    given = parser.parse_args()
    import numpy  # noqa: F401  (threadpoolctl sees only what is loaded)
    from threadpoolctl import threadpool_info, threadpool_limits

    kernel = None
    if given.library == "torch":
        import torch

        torch.set_num_threads(given.threads)
        kernel = f"MKL, {torch.backends.cpu.get_cpu_capability()}" if torch.backends.mkl.is_available() else "ATen"
    else:
        [blas] = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
        kernel = f"{blas['internal_api']} {blas['version']}, {blas['architecture']}"
    with threadpool_limits(given.threads, user_api="blas" if given.library == "numpy" else "openmp"):
        products = list(measure(given.library, given.tries))
    json.dump({"versions": {given.library: version(given.library)}, "kernel": kernel, "products": products}, sys.stdout, indent=2)
    print()


main()
