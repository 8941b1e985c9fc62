"""Makes sae/formats/fixtures/pytorch/mixed.bin: a state dict of every kind of tensor that model files hold, as torch.save writes it.

    ../peers/bin/python scripts/peers/pytorchFixture.py
"""
import json
from collections import OrderedDict
from pathlib import Path

import torch

folder = Path(__file__).resolve().parents[2] / "sae" / "formats" / "fixtures" / "pytorch"
values = torch.randn(4, 6, generator=torch.Generator().manual_seed(3))
shared = torch.arange(24, dtype=torch.float32)
state = OrderedDict(
    float=values,
    half=values.half(),
    bfloat=values.bfloat16(),
    double=values.double(),
    long=torch.arange(5),
    mask=torch.ones(2, 2, dtype=torch.bool),
    transposed=values.T,
    column=values[1:, 2],
    tail=shared[20:],
    again=shared[:4].reshape(2, 2),
    scalar=torch.tensor(2.5),
    parameter=torch.nn.Parameter(torch.tensor([0.25, -1.0])),
    empty=torch.zeros(0, 3),
)
state._metadata = {"": {"version": 1}}
torch.save(state, folder / "mixed.bin")
golden = {
    name: {"shape": list(tensor.shape), "values": tensor.detach().float().flatten().tolist()}
    for name, tensor in state.items()
    if name != "mask"
}
(folder / "mixed.json").write_text(json.dumps(golden) + "\n")
