"""Activations of any PyTorch model, to `lazyscope capture --from -` without a file between them:

    python scripts/peers/streamActivations.py | npx lazyscope capture --from - --hook blocks.0.hook_resid_post --name mine

Needs torch and pyarrow. The model here is made on the spot; put your own in its place, and the module whose output you want.
Each row of the stream is a context: its tokens, and one vector a token. A model without tokens leaves that column out.
"""

import sys

import pyarrow as pa
import torch

CONTEXTS, POSITIONS, WIDTH, VOCABULARY, BATCH = 256, 16, 32, 100, 32


def fixed(tensor):
    """A tensor [contexts, …] as one column of lists of fixed length."""
    values = pa.array(tensor.reshape(-1).numpy())
    for size in reversed(tensor.shape[1:]):
        values = pa.FixedSizeListArray.from_arrays(values, size)
    return values


torch.manual_seed(0)
layer = torch.nn.TransformerEncoderLayer(WIDTH, nhead=4, dim_feedforward=64, batch_first=True)
model = torch.nn.Sequential(torch.nn.Embedding(VOCABULARY, WIDTH), layer).eval()
kept = {}
layer.register_forward_hook(lambda module, inputs, output: kept.update(activations=output))

writer = None
with torch.no_grad():
    for _ in range(CONTEXTS // BATCH):
        tokens = torch.randint(0, VOCABULARY, (BATCH, POSITIONS), dtype=torch.int32)
        model(tokens)
        batch = pa.record_batch({"tokens": fixed(tokens), "activations": fixed(kept["activations"].float())})
        writer = writer or pa.ipc.new_stream(sys.stdout.buffer, batch.schema)
        writer.write_batch(batch)
writer.close()  # Without it the capture is refused, because rows may be missing.
