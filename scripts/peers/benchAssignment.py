"""What published code does with two dictionaries: the whole matrix of cosines, then SciPy's dense solver.

    python scripts/peers/benchAssignment.py --a FILE --b FILE --latents 8192 --d 768

The files hold float32 rows [latents, d], as compareAssignments.ts writes them. Double precision and costs rather than
weights are what the solver computes with: of anything else it makes a copy.
"""

import argparse
import json
import os
import resource
import time

parser = argparse.ArgumentParser()
parser.add_argument("--a", required=True)
parser.add_argument("--b", required=True)
parser.add_argument("--latents", type=int, required=True)
parser.add_argument("--d", type=int, required=True)
parser.add_argument("--threads", type=int, default=os.cpu_count())
options = parser.parse_args()
os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)

import numpy as np  # noqa: E402  after the number of threads is set
import scipy  # noqa: E402
from scipy.optimize import linear_sum_assignment  # noqa: E402


def rows(path):
    values = np.fromfile(path, np.float32).reshape(options.latents, options.d)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values


a, b = rows(options.a), rows(options.b)
started, cpu = time.perf_counter(), time.process_time()
costs = (a @ b.T).astype(np.float64)
np.negative(costs, out=costs)
made = time.perf_counter()
chosen = linear_sum_assignment(costs)
seconds = time.perf_counter() - started
print(
    json.dumps(
        {
            "seconds": seconds,
            "solverSeconds": seconds - (made - started),
            "cpuSeconds": time.process_time() - cpu,
            "peakRssMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "weight": -float(costs[chosen].sum()),
            "versions": {"scipy": scipy.__version__, "numpy": np.__version__},
        }
    )
)
