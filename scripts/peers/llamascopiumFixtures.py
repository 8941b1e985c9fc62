"""Dictionaries of Llamascopium (before 2026 Language-Model-SAEs) and of Llama Scope, and what their packages compute with them.

    python scripts/peers/llamascopiumFixtures.py       writes sae/formats/fixtures/packages/llamascopium-* and llama-scope-*

As packageFixtures.py, whose `expected.json` has the same form. Activations are those of inference mode (of x as the model has it); of TopK,
which is chosen by z·‖W_D,i‖, they are that product, as of decoder rows of norm 1.

    pip install llamascopium==2.0.0b34 sae-lens==6.54.12
"""

import importlib.metadata
import json
import math
import pathlib
import shutil
from unittest import mock

import torch
from safetensors.torch import save_file

D, LATENTS, K, ROWS = 6, 12, 3, 8
ROOT = pathlib.Path(__file__).resolve().parents[2] / "sae" / "formats" / "fixtures" / "packages"
RESIDUAL = "blocks.1.hook_resid_post"
NORMS = {RESIDUAL: 3.7, "blocks.1.ln2.hook_normalized": 5.3, "blocks.1.hook_mlp_out": 1.9}


def folder_of(name):
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def expect(folder, kind, version, x, activations, reconstruction):
    assert 0 < (activations != 0).float().mean() < 1
    values = dict(x=x, activations=activations, reconstruction=reconstruction)
    text = {"kind": kind, "version": version} | {name: value.tolist() for name, value in values.items()}
    (folder / "expected.json").write_text(json.dumps(text) + "\n")


def randomise(module):
    for name, tensor in module.named_parameters():
        tensor.copy_(torch.randn(tensor.shape) * 0.7 - (0.4 if "threshold" in name else 0))


def llamascopium():
    from llamascopium.models.sae import SAEConfig, SparseAutoEncoder

    version = importlib.metadata.version("llamascopium")
    here = dict(hook_point_in=RESIDUAL, hook_point_out=RESIDUAL)
    across = dict(hook_point_in="blocks.1.ln2.hook_normalized", hook_point_out="blocks.1.hook_mlp_out")
    variants = {
        "topk": dict(act_fn="topk", **here),
        "topk-plain": dict(act_fn="topk", sparsity_include_decoder_norm=False, use_decoder_bias=False, **here),
        "jumprelu": dict(act_fn="jumprelu", **here),
        "jumprelu-plain": dict(act_fn="jumprelu", sparsity_include_decoder_norm=False, **here),
        "relu": dict(act_fn="relu", **here),
        "inference": dict(act_fn="jumprelu", norm_activation="inference", **here),
        "token-wise": dict(act_fn="jumprelu", norm_activation="token-wise", **here),
        "transcoder": dict(act_fn="topk", **across),
        "jumprelu-transcoder": dict(act_fn="jumprelu", **across),
    }
    for name, settings in variants.items():
        config = SAEConfig(d_model=D, expansion_factor=LATENTS / D, top_k=K, **settings)
        sae = SparseAutoEncoder(config)
        randomise(sae)
        read, predicted = config.hook_point_in, config.hook_point_out
        # Which says nothing but where they are dataset-wise.
        sae.set_dataset_average_activation_norm({read: NORMS[read], predicted: NORMS[predicted]})
        folder = folder_of(f"llamascopium-{name}")
        sae.save_pretrained(folder)
        config.save_hyperparameters(folder)
        loaded = SparseAutoEncoder.from_pretrained(str(folder))

        x = torch.randn(ROWS, D) * 1.5
        normal, factors = loaded.normalize_activations({read: x, predicted: x}, return_scale_factor=True)
        activations = loaded.encode(normal[read])
        reconstruction = loaded.decode(activations) / factors[predicted]
        if config.norm_activation == "dataset-wise":
            activations = activations / factors[read]
            ratio = factors[read] / factors[predicted]
            if config.act_fn == "topk" and config.sparsity_include_decoder_norm:
                activations = activations * loaded.decoder_norm() * ratio
            if config.act_fn != "jumprelu":
                # Its own folding, which leaves thresholds as they are, says the same of the others.
                folded = SparseAutoEncoder.from_pretrained(str(folder), fold_activation_scale=True)
                torch.testing.assert_close(folded(x), reconstruction, atol=1e-5, rtol=1e-5)
        expect(folder, config.act_fn, version, x, activations, reconstruction)


def llama_scope():
    """Checkpoints of 2024 and of Llama Scope R1, as SAELens's loaders read them, whose files come from the hub otherwise."""
    from sae_lens.loading import pretrained_sae_loaders as loaders
    from sae_lens.saes import JumpReLUSAE, JumpReLUSAEConfig

    version = importlib.metadata.version("sae-lens")
    weights = {
        "encoder.weight": torch.randn(LATENTS, D) * 0.7,
        "encoder.bias": torch.randn(LATENTS) * 0.7,
        "decoder.weight": torch.nn.functional.normalize(torch.randn(D, LATENTS), dim=0),
        "decoder.bias": torch.randn(D) * 0.7,
    }
    norm = NORMS[RESIDUAL]
    scale = math.sqrt(D) / norm
    common = dict(
        hook_point_in=RESIDUAL,
        hook_point_out=RESIDUAL,
        use_decoder_bias=True,
        expansion_factor=LATENTS // D,
        d_model=D,
        act_fn="jumprelu",
        norm_activation="dataset-wise",
        sparsity_include_decoder_norm=True,
        use_glu_encoder=False,
        top_k=K,
    )

    def by_saelens(folder, load, kind):
        with mock.patch.object(loaders, "hf_hub_download", lambda repo_id, filename, subfolder="", **_: str(ROOT / subfolder / filename)):
            config, state, _ = load("", folder.name, cfg_overrides=dict(dtype="float32"))
        sae = JumpReLUSAE(JumpReLUSAEConfig(d_in=D, d_sae=LATENTS, apply_b_dec_to_input=False))
        sae.load_state_dict({name: tensor.float() for name, tensor in state.items()})
        assert config["normalize_activations"] == "expected_average_only_in"
        sae.fold_activation_norm_scaling_factor(scale)
        x = torch.randn(ROWS, D) * 1.5
        activations = sae.encode(x)
        # Its activations are of x·s, and so is the size of the decoder rows.
        expect(folder, kind, version, x, activations / scale, sae.decode(activations))

    folder = folder_of("llama-scope")
    (folder / "checkpoints").mkdir()
    save_file(weights, folder / "checkpoints" / "final.safetensors")
    scope = dict(d_sae=LATENTS, jump_relu_threshold=0.43, apply_decoder_bias_to_pre_encoder=False)
    scope |= dict(dataset_average_activation_norm={"in": norm, "out": norm})
    (folder / "hyperparams.json").write_text(json.dumps(common | scope) + "\n")
    (folder / "lm_config.json").write_text(json.dumps(dict(model_name="meta-llama/Llama-3.1-8B")) + "\n")
    by_saelens(folder, loaders.llama_scope_sae_huggingface_loader, "Llama Scope")

    folder = folder_of("llama-scope-r1")
    thresholds = dict(log_jumprelu_threshold=torch.randn(LATENTS) * 0.5 - 0.4)
    norms = {f"dataset_average_activation_norm.{RESIDUAL}": torch.tensor(norm)}
    save_file(weights | thresholds | norms, folder / "sae_weights.safetensors")
    (folder / "config.json").write_text(json.dumps(common | dict(sae_type="sae")) + "\n")
    by_saelens(folder, loaders.llama_scope_r1_distill_sae_huggingface_loader, "Llama Scope R1")

    # Decoder rows of other norms, and other norms of what is predicted, by what lm_saes did for inference in 2024: the normalisation folded,
    # decoder rows brought to norm 1, then one threshold for all. SAELens's loader leaves the norms out.
    weights["decoder.weight"] = torch.randn(D, LATENTS) * 0.7
    for name, out in (("llama-scope-norms", norm), ("llama-scope-transcoder", NORMS["blocks.1.hook_mlp_out"])):
        folder = folder_of(name)
        (folder / "checkpoints").mkdir()
        torch.save(dict(sae=weights, version="1.0"), folder / "checkpoints" / "final.pt")
        place = {} if out == norm else dict(hook_point_out="blocks.1.hook_mlp_out")
        settings = common | scope | place | dict(dataset_average_activation_norm={"in": norm, "out": out})
        (folder / "hyperparams.json").write_text(json.dumps(settings) + "\n")
        x = torch.randn(ROWS, D) * 1.5
        into, from_ = math.sqrt(D) / norm, math.sqrt(D) / out
        decoder = weights["decoder.weight"] * into / from_
        sizes = decoder.norm(dim=0)
        z = (x @ weights["encoder.weight"].T + weights["encoder.bias"] / into) * sizes
        activations = z * (z > scope["jump_relu_threshold"])
        reconstruction = activations @ (decoder / sizes).T + weights["decoder.bias"] / from_
        expect(folder, "Llama Scope", "2024", x, activations / sizes, reconstruction)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    for seed, make in enumerate((llamascopium, llama_scope)):
        torch.manual_seed(seed)
        make()
