"""Activations as other tools write them, for the tests of sae/formats/activations.

    python scripts/peers/activationFixtures.py      writes sae/formats/fixtures/activations/

Needs numpy, safetensors, pyarrow and datasets. All files but one hold the same numbers, which half precision has exactly:
((31 c + 7 p + 3 j) mod 17 − 8) / 8 for number j at position p of context c, and token (5 (6 c + p)) mod 97 there.
"""

import pathlib
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Array2D, Dataset, Features, Sequence, Value
from safetensors.numpy import save_file

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "sae" / "formats" / "fixtures" / "activations"
CONTEXTS, POSITIONS, WIDTH = 20, 6, 8
HOOK = "blocks.1.hook_resid_post"

c, p, j = np.ogrid[:CONTEXTS, :POSITIONS, :WIDTH]
X = ((31 * c + 7 * p + 3 * j) % 17 - 8).astype(np.float32) / 8
TOKENS = (5 * np.arange(CONTEXTS * POSITIONS).reshape(CONTEXTS, POSITIONS)) % 97
ROWS = X.reshape(-1, WIDTH)


def fixed(array, item):
    """Nested lists of fixed length, one value a row."""
    values = pa.array(array.reshape(-1), type=item)
    for size in reversed(array.shape[1:]):
        values = pa.FixedSizeListArray.from_arrays(values, size)
    return values


def lists(array, item):
    return pa.array(array.tolist(), type=item)


def main():
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir(parents=True)
    out = lambda name: str(FIXTURES / name)
    save_file({HOOK: X.astype(np.float16), "tokens": TOKENS.astype(np.int64)}, out("contexts.safetensors"))
    # Rows beside tokens by context.
    save_file({"acts": ROWS, "input_ids": TOKENS.astype(np.int32)}, out("rows.safetensors"))
    np.save(out("rows.npy"), ROWS.astype(np.float64))
    np.save(out("columns.npy"), np.asfortranarray(ROWS))
    np.savez(out("contexts.npz"), activations=X, tokens=TOKENS.astype(np.uint16))
    np.savez_compressed(out("compressed.npz"), activations=X, tokens=TOKENS)
    table = pa.table({"activations": fixed(X, pa.float16()), "token_ids": fixed(TOKENS, pa.int32())})
    with pa.ipc.new_file(out("contexts.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    large = pa.large_list(pa.float32())
    table = pa.table({"resid_post_layer_1": lists(ROWS, large), "tokens": lists(TOKENS.reshape(-1), pa.int64())})
    with pa.ipc.new_stream(out("rows.arrows"), table.schema) as writer:
        writer.write_table(table, max_chunksize=50)
    data = (FIXTURES / "rows.arrows").read_bytes()
    (FIXTURES / "cut.arrows").write_bytes(data[:-8])
    for name, codec in (("compressed.arrow", "zstd"), ("compressed.lz4.arrow", "lz4")):
        with pa.ipc.new_file(out(name), table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as w:
            w.write_table(table)
    pq.write_table(table, out("rows.parquet"), row_group_size=48)
    nested = pa.list_(pa.list_(pa.float32()))
    pq.write_table(pa.table({HOOK: lists(X, nested), "tokens": lists(TOKENS, pa.list_(pa.int32()))}), out("contexts.parquet"))
    ragged = [row[: WIDTH - (i == 70)] for i, row in enumerate(ROWS.tolist())]
    pq.write_table(pa.table({"x": pa.array(ragged, type=pa.list_(pa.float32()))}), out("ragged.parquet"))
    # As SAELens's CacheActivationsRunner writes them, in several files.
    features = Features(
        {HOOK: Array2D(shape=(POSITIONS, WIDTH), dtype="float32"), "token_ids": Sequence(Value("int32"), length=POSITIONS)}
    )
    Dataset.from_dict({HOOK: X, "token_ids": TOKENS}, features=features).save_to_disk(out("saelens"), num_shards=3)


if __name__ == "__main__":
    main()
