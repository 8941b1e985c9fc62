"""Makes sae/formats/gguf/fixtures: random blocks of every tensor type that can be read, all metadata types, and what the
`gguf` package of the llama.cpp project makes of them.

    ../peers/bin/pip install gguf && ../peers/bin/python scripts/peers/ggufFixtures.py
"""
import hashlib
import json
import struct
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGUFValueType as V

folder = Path(__file__).resolve().parents[2] / "sae" / "formats" / "gguf" / "fixtures"
folder.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(5)

TYPES = [T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K]


def block(kind):
    """Random bytes, drawn again while a scale is infinite or NaN: NaN's bits are nobody's promise."""
    size = gguf.constants.GGML_QUANT_SIZES[kind][1]
    while True:
        raw = random.integers(0, 256, size, dtype=np.uint8)
        with np.errstate(all="ignore"):
            values = np.asarray(gguf.quants.dequantize(raw[None], kind))
        if np.isfinite(values).all():
            return raw


def write(path, alignment, version):
    writer = gguf.GGUFWriter(path, "llama")
    writer.data_alignment = alignment
    writer.add_custom_alignment(alignment)
    writer.add_key_value("test.u8", 200, V.UINT8)
    writer.add_key_value("test.i8", -100, V.INT8)
    writer.add_key_value("test.u16", 60_000, V.UINT16)
    writer.add_key_value("test.i16", -30_000, V.INT16)
    writer.add_key_value("test.u32", 4_000_000_000, V.UINT32)
    writer.add_key_value("test.i32", -2_000_000_000, V.INT32)
    writer.add_key_value("test.f32", 0.1, V.FLOAT32)
    writer.add_key_value("test.bool", True, V.BOOL)
    writer.add_key_value("test.text", "naïve “☃” \U0001f40b", V.STRING)
    writer.add_key_value("test.u64", 2**53 - 1, V.UINT64)
    writer.add_key_value("test.huge", 2**64 - 1, V.UINT64)
    writer.add_key_value("test.i64", -(2**40), V.INT64)
    writer.add_key_value("test.f64", 0.1, V.FLOAT64)
    writer.add_key_value("test.texts", ["a", "", "ü"], V.ARRAY, sub_type=V.STRING)
    writer.add_key_value("test.floats", [0.5, -2.25], V.ARRAY, sub_type=V.FLOAT32)
    writer.add_key_value("test.bools", [True, False, True], V.ARRAY, sub_type=V.BOOL)
    writer.add_key_value("test.ints", [-1, 2], V.ARRAY, sub_type=V.INT32)
    for kind in TYPES:
        size, _ = gguf.constants.GGML_QUANT_SIZES[kind]
        # Two axes before the rows, so that their order shows.
        width = 256 if size == 256 else 96 if size == 32 else 5
        data = np.stack([np.concatenate([block(kind) for _ in range(width // size)]) for _ in range(6)])
        data = data.reshape(2, 3, -1)
        if kind == T.F32:
            writer.add_tensor(kind.name, data.view(np.float32))
        elif kind == T.F16:
            writer.add_tensor(kind.name, data.view(np.float16))
        else:
            writer.add_tensor(kind.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    # Versions 2 and 3 differ only in that 3 may be big-endian.
    raw = bytearray(path.read_bytes())
    raw[4:8] = struct.pack("<I", version)
    path.write_bytes(raw)


def describe(path):
    reader = gguf.GGUFReader(path)
    tensors = {}
    for tensor in reader.tensors:
        values = np.ascontiguousarray(gguf.quants.dequantize(tensor.data, tensor.tensor_type), dtype="<f4")
        shape = [int(n) for n in reversed(tensor.shape)]
        assert values.size == np.prod(shape)
        tensors[tensor.name] = {
            "shape": shape,
            "first": [float(x) for x in values.ravel()[:3]],
            "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
        }
    return tensors


golden = {}
for name, alignment, version in [("everyType.gguf", 32, 3), ("version2.gguf", 64, 2)]:
    write(folder / name, alignment, version)
    golden[name] = {"alignment": alignment, "version": version, "tensors": describe(folder / name)}
(folder / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
