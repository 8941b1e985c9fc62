"""Dictionaries that other tools' own packages wrote, and what those packages compute with them.

    python scripts/peers/packageFixtures.py make [NAME] writes sae/formats/fixtures/packages/, or what one function makes
    python scripts/peers/packageFixtures.py check DIR  loads what `exportDictionary` wrote under DIR, and prints JSON

`make` gives every dictionary random weights with nothing at its default, saves it as its package saves it, and writes
beside it `expected.json`: inputs x [rows, d], the package's activations [rows, latents] and its reconstructions
[rows, d]. `check` expects DIR/<name>/<format>/ with an `expected.json` of the same form beside the export, and prints for
each the largest difference between that and what the package computes from the exported files.

    pip install sae-lens==6.54.12 eai-sparsify==1.3.3 dictionary-learning==0.1.0
"""

import importlib.metadata
import json
import os
import pathlib
import shutil
import sys
from unittest import mock

import torch

# Its decoder is a kernel for GPUs otherwise.
os.environ["SPARSIFY_DISABLE_TRITON"] = "1"

from dictionary_learning.dictionary import AutoEncoder, AutoEncoderNew, GatedAutoEncoder, JumpReluAutoEncoder
from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE
from dictionary_learning.trainers.top_k import AutoEncoderTopK
from sae_lens import SAE
from sae_lens.loading import pretrained_sae_loaders
from sae_lens.saes import (
    AbsTopKSAE,
    AbsTopKSAEConfig,
    AbsTopKTrainingSAE,
    AbsTopKTrainingSAEConfig,
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    GatedSAE,
    GatedSAEConfig,
    GatedTrainingSAE,
    GatedTrainingSAEConfig,
    JumpReLUSAE,
    JumpReLUSAEConfig,
    JumpReLUTrainingSAE,
    JumpReLUTrainingSAEConfig,
    MatchingPursuitSAE,
    MatchingPursuitSAEConfig,
    MatryoshkaBatchTopKTrainingSAE,
    MatryoshkaBatchTopKTrainingSAEConfig,
    StandardSAE,
    StandardSAEConfig,
    StandardTrainingSAE,
    StandardTrainingSAEConfig,
    TopKSAE,
    TopKSAEConfig,
    TopKTrainingSAE,
    TopKTrainingSAEConfig,
)
from sae_lens.saes.abstopk_sae import AbsTopK
from sae_lens.saes.transcoder import (
    JumpReLUSkipTranscoder,
    JumpReLUSkipTranscoderConfig,
    JumpReLUTranscoder,
    JumpReLUTranscoderConfig,
    SkipTranscoder,
    SkipTranscoderConfig,
    Transcoder,
    TranscoderConfig,
)
from sae_lens.training.activation_scaler import ActivationScaler
from safetensors.torch import save_file
from sparsify import SparseCoder, SparseCoderConfig

D, LATENTS, K, ROWS = 6, 10, 3, 8
ROOT = pathlib.Path(__file__).resolve().parents[2] / "sae" / "formats" / "fixtures" / "packages"
PACKAGES = {"SAELens": "sae-lens", "sparsify": "eai-sparsify", "dictionary_learning": "dictionary-learning"}
VERSIONS = {name: importlib.metadata.version(package) for name, package in PACKAGES.items()}


def randomise(module, **fixed):
    """Every parameter and buffer of floating point gets numbers of its own."""
    with torch.no_grad():
        for name, tensor in {**dict(module.named_parameters()), **dict(module.named_buffers())}.items():
            if name in fixed:
                tensor.copy_(torch.as_tensor(fixed[name], dtype=tensor.dtype))
            elif tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape) * 0.7)
    return module


def dense(sae, x):
    """Activations of a sparsify coder as a matrix."""
    top = sae.encode(x)
    return torch.zeros(x.shape[0], sae.num_latents).scatter(1, top.top_indices, top.top_acts)


def compute(sae, x):
    with torch.no_grad():
        activations = dense(sae, x) if isinstance(sae, SparseCoder) else sae.encode(x)
        if isinstance(sae, SparseCoder):
            return activations, sae(x).sae_out
        # Of skip transcoders `decode` is only a part.
        return activations, sae(x) if isinstance(sae, Transcoder) else sae.decode(activations)


def expect(folder, kind, version, sae, computed=compute):
    x = torch.randn(ROWS, D) * 1.5
    activations, reconstruction = computed(sae, x)
    assert 0 < (activations != 0).float().mean() < 1
    values = dict(x=x, activations=activations, reconstruction=reconstruction)
    text = {"kind": kind, "version": version} | {name: value.tolist() for name, value in values.items()}
    if (activations < 0).any():
        text["signed"] = True
    (folder / "expected.json").write_text(json.dumps(text) + "\n")


def folder_of(name):
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


THRESHOLDS = torch.linspace(-1.2, 1.3, LATENTS)


def dictionary_learning():
    classes = {
        "standard": (AutoEncoder(D, LATENTS), {}),
        "new": (AutoEncoderNew(D, LATENTS), {}),
        "topk": (AutoEncoderTopK(D, LATENTS, K), dict(k=K)),
        "batchtopk": (BatchTopKSAE(D, LATENTS, K), dict(k=K, threshold=0.6)),
        "batchtopk-unlearnt": (BatchTopKSAE(D, LATENTS, K), dict(k=K, threshold=-1.0)),
        "matryoshka": (MatryoshkaBatchTopKSAE(D, LATENTS, K, [4, 6]), dict(k=K, threshold=0.5)),
        "jumprelu": (JumpReluAutoEncoder(D, LATENTS), dict(threshold=THRESHOLDS)),
        "gated": (GatedAutoEncoder(D, LATENTS), {}),
    }
    for name, (sae, fixed) in classes.items():
        randomise(sae, **fixed)
        folder = folder_of(f"dictionary-learning-{name}")
        torch.save(sae.state_dict(), folder / "ae.pt")
        trainer = dict(
            dict_class=type(sae).__name__,
            activation_dim=D,
            dict_size=LATENTS,
            lm_name="EleutherAI/pythia-70m",
            layer=3,
            submodule_name="resid_post_layer_3",
        )
        if "k" in fixed:
            trainer["k"] = K
        (folder / "config.json").write_text(json.dumps(dict(trainer=trainer)) + "\n")
        expect(folder, trainer["dict_class"], VERSIONS["dictionary_learning"], sae)
    # The same class in the wrappings that people save.
    sae = randomise(AutoEncoderNew(D, LATENTS))
    compiled = {f"_orig_mod.{name}": tensor for name, tensor in sae.state_dict().items()}
    wrapped = {"state_dict": compiled, "step": 7, "optimizer": {"state": {}}}
    for name, saved in (("wrapped", wrapped), ("module", sae)):
        folder = folder_of(f"dictionary-learning-{name}")
        torch.save(saved, folder / "ae.pt")
        expect(folder, "AutoEncoderNew", VERSIONS["dictionary_learning"], sae)


def saelens():
    sizes = dict(d_in=D, d_sae=LATENTS)
    inference = {
        "standard": (StandardSAE, StandardSAEConfig(**sizes), {}),
        "topk": (TopKSAE, TopKSAEConfig(**sizes, k=K, apply_b_dec_to_input=False), {}),
        "topk-rescaled": (TopKSAE, TopKSAEConfig(**sizes, k=K, rescale_acts_by_decoder_norm=True), {}),
        "jumprelu": (JumpReLUSAE, JumpReLUSAEConfig(**sizes), dict(threshold=THRESHOLDS)),
        "gated": (GatedSAE, GatedSAEConfig(**sizes, apply_b_dec_to_input=False), {}),
    }
    place = dict(model_name="gpt2-small", hook_name="blocks.1.hook_resid_post")
    for name, (sae_class, config, fixed) in inference.items():
        for key, value in place.items():
            config.metadata[key] = value
        sae = randomise(sae_class(config), **fixed)
        folder = folder_of(f"saelens-{name}")
        sae.save_model(folder)
        expect(folder, config.architecture(), VERSIONS["SAELens"], SAE.load_from_disk(folder))
    # Checkpoints of trainings: what they compute is what the package makes of them for inference.
    training = {
        "batchtopk": (BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig(**sizes, k=K), 0.8, None),
        "batchtopk-scaled": (
            BatchTopKTrainingSAE,
            BatchTopKTrainingSAEConfig(**sizes, k=K, normalize_activations="expected_average_only_in"),
            0.8,
            1.7,
        ),
        "matryoshka": (
            MatryoshkaBatchTopKTrainingSAE,
            MatryoshkaBatchTopKTrainingSAEConfig(**sizes, k=K, matryoshka_widths=[4, LATENTS]),
            0.4,
            None,
        ),
    }
    for name, (sae_class, config, threshold, scale) in training.items():
        for key, value in place.items():
            config.metadata[key] = value
        sae = randomise(sae_class(config), topk_threshold=threshold)
        folder = folder_of(f"saelens-{name}")
        sae.save_model(folder)
        if scale is not None:
            (folder / "activation_scaler.json").write_text(json.dumps(dict(scaling_factor=scale)) + "\n")
            sae.fold_activation_norm_scaling_factor(scale)
        final = folder / "final"
        sae.save_inference_model(final)
        expect(folder, config.architecture(), VERSIONS["SAELens"], SAE.load_from_disk(final))
        shutil.rmtree(final)


def sparsify():
    sae = randomise(SparseCoder(D, SparseCoderConfig(k=K, num_latents=LATENTS)))
    folder = folder_of("sparsify/layers.1")
    sae.save_to_disk(folder)
    expect(folder, "topk", VERSIONS["sparsify"], sae)


def gemma_scope_2():
    """SAELens's loader fetches from the hub; its mapping of names is written out here, and SAELens computes the rest."""
    sae = randomise(JumpReLUSAE(JumpReLUSAEConfig(d_in=D, d_sae=LATENTS, apply_b_dec_to_input=False)), threshold=THRESHOLDS.abs())
    folder = folder_of("gemma-scope-2")
    state = {name.lower(): tensor.contiguous() for name, tensor in sae.state_dict().items()}
    save_file(state, folder / "params.safetensors")
    config = dict(architecture="jump_relu", model_name="gemma-v3-1b-pt", width=LATENTS, type="sae")
    config |= dict(hf_hook_point_in="model.layers.3.output", hf_hook_point_out="model.layers.3.output")
    (folder / "config.json").write_text(json.dumps(config) + "\n")
    expect(folder, "jumprelu", VERSIONS["SAELens"], sae)


def legacy():
    """As PyTorch wrote files before version 1.6."""
    sae = randomise(AutoEncoder(D, LATENTS))
    folder = folder_of("dictionary-learning-legacy")
    torch.save(sae.state_dict(), folder / "ae.pt", _use_new_zipfile_serialization=False)
    expect(folder, "AutoEncoder", VERSIONS["dictionary_learning"], sae)


def transcoders():
    outputs = 4
    sizes = dict(d_in=D, d_sae=LATENTS, apply_b_dec_to_input=False)
    place = dict(model_name="gpt2-small", hook_name="blocks.1.ln2.hook_normalized", hook_name_out="blocks.1.hook_mlp_out")
    classes = {
        "transcoder": (Transcoder, TranscoderConfig(**sizes, d_out=outputs), {}),
        "skip-transcoder": (SkipTranscoder, SkipTranscoderConfig(**sizes, d_out=outputs), {}),
        "jumprelu-transcoder": (JumpReLUTranscoder, JumpReLUTranscoderConfig(**sizes, d_out=D), dict(threshold=THRESHOLDS)),
        "jumprelu-skip-transcoder": (
            JumpReLUSkipTranscoder,
            JumpReLUSkipTranscoderConfig(**sizes, d_out=outputs),
            dict(threshold=THRESHOLDS),
        ),
    }
    for name, (sae_class, config, fixed) in classes.items():
        for key, value in place.items():
            config.metadata[key] = value
        sae = randomise(sae_class(config), **fixed)
        folder = folder_of(f"saelens-{name}")
        sae.save_model(folder)
        expect(folder, config.architecture(), VERSIONS["SAELens"], SAE.load_from_disk(folder))
    for name, skips in (("transcoder", False), ("skip-transcoder", True)):
        config = SparseCoderConfig(k=K, num_latents=LATENTS, transcode=True, skip_connection=skips)
        sae = randomise(SparseCoder(D, config))
        folder = folder_of(f"sparsify-{name}/layers.1.mlp")
        sae.save_to_disk(folder)
        expect(folder, name, VERSIONS["sparsify"], sae)
    # As for its autoencoders; the affine connection is stored the other way round.
    sae = randomise(
        JumpReLUSkipTranscoder(JumpReLUSkipTranscoderConfig(**sizes, d_out=D)), threshold=THRESHOLDS.abs()
    )
    folder = folder_of("gemma-scope-2-transcoder")
    state = {name.lower(): tensor.contiguous() for name, tensor in sae.state_dict().items()}
    state["affine_skip_connection"] = state.pop("w_skip").T.contiguous()
    save_file(state, folder / "params.safetensors")
    config = dict(architecture="jump_relu", model_name="gemma-v3-1b-pt", width=LATENTS, type="transcoder")
    config |= dict(
        hf_hook_point_in="model.layers.3.pre_feedforward_layernorm.output",
        hf_hook_point_out="model.layers.3.post_feedforward_layernorm.output",
        affine_connection=True,
    )
    (folder / "config.json").write_text(json.dumps(config) + "\n")
    expect(folder, "jumprelu_skip_transcoder", VERSIONS["SAELens"], sae)


def other_choices_of_latents():
    """Those that choose latents neither by a threshold nor by rank alone."""
    sizes = dict(d_in=D, d_sae=LATENTS)
    place = dict(model_name="gpt2-small", hook_name="blocks.1.hook_resid_post")
    pursuit = dict(**sizes, residual_threshold=0.9)
    classes = {
        "abstopk": (AbsTopKSAE, AbsTopKSAEConfig(**sizes, k=K, apply_b_dec_to_input=False)),
        "abstopk-rescaled": (AbsTopKSAE, AbsTopKSAEConfig(**sizes, k=K, rescale_acts_by_decoder_norm=True)),
        "matching-pursuit": (
            MatchingPursuitSAE,
            MatchingPursuitSAEConfig(**pursuit, max_iterations=5, stop_on_duplicate_support=False),
        ),
        "matching-pursuit-centred": (MatchingPursuitSAE, MatchingPursuitSAEConfig(**pursuit, apply_b_dec_to_input=False)),
    }
    for name, (sae_class, config) in classes.items():
        for key, value in place.items():
            config.metadata[key] = value
        sae = randomise(sae_class(config))
        if sae_class is MatchingPursuitSAE:
            sae.W_dec.data /= sae.W_dec.data.norm(dim=1, keepdim=True)
        folder = folder_of(f"saelens-{name}")
        sae.save_model(folder)
        expect(folder, config.architecture(), VERSIONS["SAELens"], SAE.load_from_disk(folder))

    # A checkpoint of a training on whitened activations, with the whitening that the package estimates.
    config = BatchTopKTrainingSAEConfig(**sizes, k=K, normalize_activations="covariance_whitening")
    sae = randomise(BatchTopKTrainingSAE(config), topk_threshold=0.5)
    folder = folder_of("saelens-batchtopk-whitened")
    sae.save_model(folder)
    scaler = ActivationScaler()
    mixing = torch.randn(D, D)
    scaler.estimate_whitening(D, iter(lambda: torch.randn(64, D) @ mixing + 0.5, None), 10)
    scaler.save(str(folder / "activation_scaler.json"))
    whitening = scaler.whitening
    sae.fold_activation_whitening(whitening.mean, whitening.matrix, whitening.inverse_matrix)
    final = folder / "final"
    sae.save_inference_model(final)
    expect(folder, config.architecture(), VERSIONS["SAELens"], SAE.load_from_disk(final))
    shutil.rmtree(final)

    sae = randomise(SparseCoder(D, SparseCoderConfig(k=K, num_latents=12, activation="groupmax")))
    folder = folder_of("sparsify-groupmax/layers.1")
    sae.save_to_disk(folder)
    expect(folder, "groupmax", VERSIONS["sparsify"], sae)

    # Files of 2024 have `signed`, which later versions drop; the choice is what SAELens calls AbsTopK.
    sae = randomise(SparseCoder(D, SparseCoderConfig(k=K, num_latents=LATENTS)))
    folder = folder_of("sparsify-signed/layers.1")
    sae.save_to_disk(folder)
    config = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps(config | dict(signed=True)))

    def signed(sae, x):
        activations = AbsTopK(K)(sae.encoder(x - sae.b_dec))
        return activations, activations @ sae.W_dec + sae.b_dec

    expect(folder, "topk", "2024", sae, signed)

    # Each activation by itself, at run time.
    classes = {
        "layer-norm": (StandardSAE, StandardSAEConfig(**sizes, normalize_activations="layer_norm")),
        "constant-norm": (TopKSAE, TopKSAEConfig(**sizes, k=K, normalize_activations="constant_norm_rescale")),
    }
    for name, (sae_class, config) in classes.items():
        for key, value in place.items():
            config.metadata[key] = value
        sae = randomise(sae_class(config))
        folder = folder_of(f"saelens-{name}")
        sae.save_model(folder)
        expect(folder, config.architecture(), VERSIONS["SAELens"], SAE.load_from_disk(folder))


def skip_autoencoders():
    """Of sparsify: what it reads is what it predicts, and the encoder reads x − b_dec, but the connection x."""
    for name, activation, latents in (("autoencoder", "topk", LATENTS), ("autoencoder-groupmax", "groupmax", 12)):
        sae = randomise(SparseCoder(D, SparseCoderConfig(k=K, num_latents=latents, activation=activation, skip_connection=True)))
        folder = folder_of(f"sparsify-skip-{name}/layers.1")
        sae.save_to_disk(folder)
        expect(folder, activation, VERSIONS["sparsify"], sae)


def training_checkpoints():
    """Of SAELens: what a checkpoint computes is what the package makes of it for inference."""
    sizes = dict(d_in=D, d_sae=LATENTS)
    classes = {
        "gated-training": (GatedTrainingSAE, GatedTrainingSAEConfig(**sizes), {}),
        "jumprelu-training": (JumpReLUTrainingSAE, JumpReLUTrainingSAEConfig(**sizes), dict(log_threshold=THRESHOLDS)),
        "topk-training": (TopKTrainingSAE, TopKTrainingSAEConfig(**sizes, k=K), {}),
        "abstopk-training": (AbsTopKTrainingSAE, AbsTopKTrainingSAEConfig(**sizes, k=K), {}),
        "standard-training": (StandardTrainingSAE, StandardTrainingSAEConfig(**sizes, normalize_activations="expected_average_only_in"), {}),
    }
    for name, (sae_class, config, fixed) in classes.items():
        config.metadata["model_name"], config.metadata["hook_name"] = "gpt2-small", "blocks.1.hook_resid_post"
        sae = randomise(sae_class(config), **fixed)
        folder = folder_of(f"saelens-{name}")
        sae.save_model(folder)
        if config.normalize_activations != "none":
            (folder / "activation_scaler.json").write_text(json.dumps(dict(scaling_factor=0.6)) + "\n")
            sae.fold_activation_norm_scaling_factor(0.6)
        final = folder / "final"
        sae.save_inference_model(final)
        expect(folder, config.architecture(), VERSIONS["SAELens"], SAE.load_from_disk(final))
        shutil.rmtree(final)


def load_gemma_scope(folder):
    """As SAELens's loader of the released folders reads params.npz, which it fetches from the hub otherwise."""
    with mock.patch.object(pretrained_sae_loaders, "hf_hub_download", lambda **_: str(folder / "params.npz")):
        _, state, _ = pretrained_sae_loaders.gemma_2_sae_huggingface_loader("gemma-scope-2b-pt-res", "layer_1/width_16k")
    d, latents = state["W_enc"].shape
    sae = JumpReLUSAE(JumpReLUSAEConfig(d_in=d, d_sae=latents, apply_b_dec_to_input=False))
    sae.load_state_dict(state)
    return sae


LOADERS = {
    "gemma-scope": load_gemma_scope,
    "saelens": lambda folder: SAE.load_from_disk(folder),
    "sparsify": lambda folder: SparseCoder.load_from_disk(folder),
    "dictionary-learning": lambda folder: load_dictionary_learning(folder),
}


CLASSES = {
    each.__name__: each
    for each in (
        AutoEncoder,
        AutoEncoderTopK,
        BatchTopKSAE,
        GatedAutoEncoder,
        JumpReluAutoEncoder,
        MatryoshkaBatchTopKSAE,
    )
}


def load_dictionary_learning(folder):
    trainer = json.loads((folder / "config.json").read_text())["trainer"]
    sae_class = CLASSES[trainer["dict_class"]]
    # As it is stored: `from_pretrained` would bring decoder rows to norm 1.
    sizes = (trainer["activation_dim"], trainer["dict_size"])
    sae = sae_class(*sizes, *(trainer[name] for name in ("k", "group_sizes") if name in trainer))
    sae.load_state_dict(torch.load(folder / "ae.pt"))
    return sae


def check(root):
    for expected_path in sorted(pathlib.Path(root).glob("**/expected.json")):
        expected = json.loads(expected_path.read_text())
        for form, load in LOADERS.items():
            # What is in a file of Gemma Scope's doesn't say that it is a transcoder, and this loader takes none.
            of_two = form == "gemma-scope" and "transcoder" in str(expected_path.parent.relative_to(root))
            if of_two or not (expected_path.parent / form).exists():
                continue
            found = compute(load(expected_path.parent / form), torch.tensor(expected["x"]))
            errors = [
                (values - torch.tensor(expected[name])).abs().max().item()
                for values, name in zip(found, ("activations", "reconstruction"))
            ]
            name = str(expected_path.parent.relative_to(root))
            print(json.dumps(dict(name=name, format=form, encode=errors[0], reconstruct=errors[1])))


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    if sys.argv[1] == "make":
        makers = (
            dictionary_learning,
            saelens,
            sparsify,
            gemma_scope_2,
            legacy,
            transcoders,
            other_choices_of_latents,
            skip_autoencoders,
            training_checkpoints,
        )
        for make in makers:
            if sys.argv[2:] in ([], [make.__name__]):
                make()
    else:
        check(sys.argv[2])
