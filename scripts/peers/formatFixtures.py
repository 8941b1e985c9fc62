"""Files as other tools write them, for the tests of sae/formats, and a check of ours in the other direction.

    python scripts/peers/formatFixtures.py make      writes sae/formats/fixtures/
    python scripts/peers/formatFixtures.py check DIR reads back what `exportDictionary` wrote under DIR

Needs numpy and safetensors. PyTorch is not needed: `torch.save` is Python's own pickler inside a zip, with
tensors that reduce to `torch._utils._rebuild_tensor_v2` and storages that are persistent ids, and that is what
is done here with stand-ins of the same names. Every number is sin(1 + i) for the i-th element of its tensor,
plus the tensor's index, so that a transposed or swapped tensor can't pass.
"""

import collections
import io
import json
import pathlib
import pickle
import sys
import types
import zipfile

import numpy as np
from safetensors.numpy import load_file, save_file

D, LATENTS, K = 3, 5, 2
FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "sae" / "formats" / "fixtures"


def numbers(index, *shape):
    """Tensor `index` in the product's own layout."""
    return (np.sin(1 + np.arange(np.prod(shape))) + index).reshape(shape).astype(np.float32)


W_ENC, W_DEC = numbers(0, LATENTS, D), numbers(1, LATENTS, D)
B_ENC, B_DEC, THRESHOLD = numbers(2, LATENTS), numbers(3, D), numbers(4, LATENTS)


class Storage:
    def __init__(self, array):
        self.array = array


class FloatStorage:
    pass


class LongStorage:
    pass


FloatStorage.__module__ = LongStorage.__module__ = "torch"


def _rebuild_tensor_v2(*args):
    raise NotImplementedError


_rebuild_tensor_v2.__module__ = "torch._utils"


class Tensor:
    """Keeps its numpy strides, as torch keeps a transposed view's."""

    def __init__(self, array):
        self.array = array

    def __reduce_ex__(self, protocol):
        item = self.array.itemsize
        strides = tuple(s // item for s in self.array.strides)
        base = self.array if self.array.base is None or self.array.ndim == 0 else self.array.base
        return _rebuild_tensor_v2, (Storage(base), 0, self.array.shape, strides, False, collections.OrderedDict())


def torch_save(path, state):
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch.FloatStorage, torch.LongStorage, torch._utils = FloatStorage, LongStorage, utils
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    sys.modules |= {"torch": torch, "torch._utils": utils}
    storages = {}

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if not isinstance(value, Storage):
                return None
            key = storages.setdefault(id(value.array), (str(len(storages)), value.array))[0]
            kind = FloatStorage if value.array.dtype == np.float32 else LongStorage
            return ("storage", kind, key, "cpu", int(value.array.size))

    buffer = io.BytesIO()
    ordered = collections.OrderedDict((name, Tensor(array)) for name, array in state.items())
    ordered._metadata = collections.OrderedDict({"": {"version": 1}})
    Pickler(buffer, protocol=2).dump(ordered)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ae/data.pkl", buffer.getvalue())
        archive.writestr("ae/byteorder", "little")
        for key, array in storages.values():
            archive.writestr(f"ae/data/{key}", array.tobytes())
        archive.writestr("ae/version", "3\n")


def torch_load(path):
    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) == ("collections", "OrderedDict"):
                return collections.OrderedDict
            if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
                return rebuild
            if module == "torch" and name in ("FloatStorage", "LongStorage"):
                return {"FloatStorage": np.float32, "LongStorage": np.int64}[name]
            raise pickle.UnpicklingError(f"{module}.{name}")

        def persistent_load(self, pid):
            kind, dtype, key, location, size = pid
            assert kind == "storage" and location == "cpu"
            array = np.frombuffer(archive.read(f"{root}/data/{key}"), dtype)
            assert array.size == size
            return array

    def rebuild(storage, offset, size, stride, requires_grad, hooks):
        item = storage.itemsize
        return np.lib.stride_tricks.as_strided(storage[offset:], size, tuple(s * item for s in stride))

    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        root = next(name for name in archive.namelist() if name.endswith("/data.pkl")).rsplit("/", 1)[0]
        return Unpickler(io.BytesIO(archive.read(f"{root}/data.pkl"))).load()


def folder(name):
    path = FIXTURES / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def make():
    arrays = dict(W_enc=W_ENC.T, W_dec=W_DEC, b_enc=B_ENC, b_dec=B_DEC, threshold=THRESHOLD)
    np.savez(folder("gemma-scope") / "params.npz", **arrays)  # W_enc.T is in Fortran order
    np.savez_compressed(folder("gemma-scope-compressed") / "params.npz", **{k: v.astype(np.float64) for k, v in arrays.items()})

    path = folder("saelens-jumprelu")
    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, path / "sae_weights.safetensors")
    cfg = dict(architecture="jumprelu", d_in=D, d_sae=LATENTS, dtype="float32", apply_b_dec_to_input=True, normalize_activations="none")
    (path / "cfg.json").write_text(json.dumps(cfg | dict(metadata=dict(model_name="gpt2", hook_name="blocks.1.hook_resid_post"))))

    path = folder("saelens-topk-old")
    old = {k: np.ascontiguousarray(v) for k, v in arrays.items() if k != "threshold"}
    save_file(old, path / "sae_weights.safetensors")
    cfg = dict(architecture="standard", activation_fn_str="topk", activation_fn_kwargs=dict(k=K), d_in=D, d_sae=LATENTS,
               apply_b_dec_to_input=False, normalize_activations="none", model_name="gpt2", hook_name="blocks.2.hook_mlp_out")
    (path / "cfg.json").write_text(json.dumps(cfg))

    path = folder("sparsify") / "layers.1"
    path.mkdir(exist_ok=True)
    save_file({"encoder.weight": W_ENC, "encoder.bias": B_ENC, "W_dec": W_DEC, "b_dec": B_DEC}, path / "sae.safetensors")
    (path / "cfg.json").write_text(json.dumps(dict(activation="topk", k=K, num_latents=LATENTS, d_in=D, transcode=False)))

    linear = {"encoder.weight": W_ENC, "encoder.bias": B_ENC, "decoder.weight": W_DEC.T}
    torch_save(folder("dictionary-learning-standard") / "ae.pt", {"bias": B_DEC} | linear)
    torch_save(folder("dictionary-learning-new") / "ae.pt", linear | {"decoder.bias": B_DEC})
    state = {"b_dec": B_DEC, "k": np.array(K), "threshold": np.array(0.25, np.float32)} | linear
    for name, dict_class in (("topk", "AutoEncoderTopK"), ("batchtopk", "BatchTopKSAE")):
        path = folder(f"dictionary-learning-{name}")
        torch_save(path / "ae.pt", state)
        trainer = dict(dict_class=dict_class, lm_name="EleutherAI/pythia-70m", submodule_name="resid_post_layer_3", k=K)
        (path / "config.json").write_text(json.dumps(dict(trainer=trainer)))
    torch_save(folder("dictionary-learning-jumprelu") / "ae.pt", arrays)


def check(root):
    """Exports of the dictionary with W_enc, W_dec, b_enc, b_dec (and threshold) as above, in <architecture>/<format>."""
    root = pathlib.Path(root)
    same = np.testing.assert_array_equal
    for architecture in ("relu", "topk", "jumprelu"):
        weights = load_file(root / architecture / "saelens" / "sae_weights.safetensors")
        same(weights["W_enc"], W_ENC.T), same(weights["W_dec"], W_DEC), same(weights["b_enc"], B_ENC)
        state = torch_load(root / architecture / "dictionary-learning" / "ae.pt")
        if architecture == "jumprelu":
            same(state["W_enc"], W_ENC.T), same(state["threshold"], THRESHOLD)
        else:
            same(state["encoder.weight"], W_ENC), same(state["decoder.weight"], W_DEC.T)
            same(state["bias" if architecture == "relu" else "b_dec"], B_DEC)
        if architecture == "topk":
            assert state["k"].shape == () and state["k"] == K
            weights = load_file(root / architecture / "sparsify" / "sae.safetensors")
            same(weights["encoder.weight"], W_ENC), same(weights["W_dec"], W_DEC)
        else:
            params = np.load(root / architecture / "gemma-scope" / "params.npz")
            same(params["W_enc"], W_ENC.T), same(params["W_dec"], W_DEC)
            folded = B_ENC if architecture == "jumprelu" else B_ENC - W_ENC @ B_DEC
            np.testing.assert_allclose(params["b_enc"], folded, rtol=1e-5)
    print("every export reads back as it should")


if __name__ == "__main__":
    make() if sys.argv[1] == "make" else check(sys.argv[2])
