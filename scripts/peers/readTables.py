"""Runs an example of docs/TABLES.md, given on standard input, and writes what it read as JSON.

    python readTables.py < example.py
"""

import json
import sys
import urllib.request  # noqa: F401  the examples use it

import duckdb
import pandas
import polars  # noqa: F401
import pyarrow.ipc  # noqa: F401

names = dict(globals())
exec(sys.stdin.read(), names)
features = names["features"]
if isinstance(features, duckdb.DuckDBPyRelation):
    features = features.df()
elif not isinstance(features, pandas.DataFrame):
    features = features.to_pandas()
features = features.sort_values("latent")
json.dump(
    {
        "rows": len(features),
        "columns": list(features.columns),
        "density": [float(value) for value in features["density"]],
        "dead": [bool(value) for value in features["dead"]],
        "promotedTokens": [[int(token) for token in tokens] for tokens in features["promotedTokens"]],
        "promotedLogits": [[float(logit) for logit in logits] for logits in features["promotedLogits"]],
    },
    sys.stdout,
)
