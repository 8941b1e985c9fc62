"""Goldens for sae/models/families from the independent implementation: Hugging Face's transformers, in float64.

    python scripts/peers/makeFamilyGoldens.py [CASE ...]

For each case: a config.json as the family's files spell it, weights in F16 with nothing at its default, and what
transformers computes from them (logits, and for the first case of a family every hook point). Made with torch 2.15,
transformers 5.24, tokenizers 0.23.
"""

import json
import shutil
import sys
import traceback
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM
from transformers.utils.logging import disable_progress_bar

from familyCases import CASES, MODULES, VOCABULARY

FIXTURES = Path(__file__).parents[2] / "sae" / "models" / "fixtures" / "families"
ROWS, SEQ, PROMPT, NEW = 2, 6, 6, 10


def randomise(model, offset_gain):
    """Defaults are too tame to catch a mistake: gains are 1 and biases 0."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            norm = any(part in name for part in ("norm", "ln_", ".ln", "LayerNorm")) and name.endswith("weight")
            if norm:
                parameter.copy_(0.4 * noise + (0 if offset_gain else 1))
            elif parameter.dim() < 2:
                parameter.copy_(0.4 * noise)
            elif "embed" in name or "wte" in name or "wpe" in name:
                parameter.copy_(0.7 * noise)
            else:
                parameter.copy_(noise * 1.3 / parameter.shape[-1] ** 0.5)


def module(root, path):
    for part in path.split("."):
        root = root[int(part)] if part.isdigit() else getattr(root, part)
    return root


class Tap:
    def __init__(self):
        self.values = {}

    def at(self, name, target, side="output", scale=1.0):
        def keep(_, args, kwargs, output):
            value = (args[0] if args else kwargs["hidden_states"]) if side == "input" else output
            value = value[0] if isinstance(value, tuple) else value
            self.values[name] = value.detach() * scale

        target.register_forward_hook(keep, with_kwargs=True)


    def experts(self, at, mlp):
        """Neurons expert after expert; what they write is times the router's score, and 0 where it sends the token elsewhere."""
        scores = {}

        def route(_, args, output):
            logits, weights, chosen = output
            self.values[at + "mlp.hook_expert_weights"] = logits.softmax(-1).detach()
            self.values[at + "mlp.hook_expert_indices"] = chosen.detach()
            count = mlp.experts.num_experts
            scores["by expert"] = torch.zeros(weights.shape[0], count).to(weights).scatter(1, chosen, weights)

        def keep(_, args, kwargs, output):
            x = (args[0] if args else kwargs["hidden_states"]).reshape(-1, output.shape[-1])
            pre, post = [], []
            for e in range(mlp.experts.num_experts):
                gate, up = torch.nn.functional.linear(x, mlp.experts.gate_up_proj[e]).chunk(2, -1)
                pre.append(gate)
                post.append(mlp.experts.act_fn(gate) * up * scores["by expert"][:, e : e + 1])
                went = (scores["by expert"][:, e : e + 1] != 0).to(gate)
                for hook, value in {"gate": gate, "pre": up, "post": mlp.experts.act_fn(gate) * up}.items():
                    self.values[f"{at}mlp.experts.{e}.hook_{hook}"] = (value * went).detach()
            self.values[at + "mlp.hook_pre"] = torch.cat(pre, -1).detach()
            self.values[at + "mlp.hook_post"] = torch.cat(post, -1).detach()
            self.values[at + "hook_mlp_out"] = output.detach()

        mlp.gate.register_forward_hook(route)
        mlp.register_forward_hook(keep, with_kwargs=True)


def tap_hooks(model, where, config):
    tap = Tap()
    layers = module(model, where["layers"])
    scale = getattr(config, "residual_multiplier", 1.0) or 1.0
    for i, layer in enumerate(layers):
        at = f"blocks.{i}."
        tap.at(at + "hook_resid_pre", layer, "input")
        tap.at(at + "attn.hook_z", module(layer, where["attention_output"]), "input")
        tap.at(at + "hook_attn_out", module(layer, where.get("attention_written", where["attention_output"])), scale=scale)
        if where.get("middle"):
            tap.at(at + "hook_resid_mid", module(layer, where["middle"]), "input")
        if where.get("experts"):
            tap.experts(at, module(layer, where["experts"]))
        else:
            tap.at(at + "mlp.hook_pre", module(layer, where["mlp_in"]))
            tap.at(at + "mlp.hook_post", module(layer, where["mlp_out"]), "input")
            tap.at(at + "hook_mlp_out", module(layer, where.get("mlp_written", where["mlp_out"])), scale=scale)
        if where.get("sum"):
            tap.at(at + "hook_resid_post", module(layer, where["sum"]), "input")
        else:
            tap.at(at + "hook_resid_post", layer)
    if where.get("embeddings"):
        for hook, name in {"hook_embed": "word_embeddings", "hook_pos_embed": "position_embeddings", "hook_token_type_embed": "token_type_embeddings", "hook_full_embed": "LayerNorm"}.items():
            tap.at(hook, module(model, where["embeddings"] + "." + name))
        for i, layer in enumerate(layers):
            tap.at(f"blocks.{i}.hook_normalized_resid_post", module(layer, "output.LayerNorm"))
    if where.get("embedding"):
        tap.at("hook_embed", module(model, where["embedding"]))
    if where.get("positions"):
        tap.at("hook_pos_embed", module(model, where["positions"]))
    if where.get("final"):
        tap.at("final", module(model, where["final"]))
    return tap


def hooks(model, tap, where, config, out, offset_gain):
    values = dict(tap.values)
    d = values["blocks.0.hook_resid_pre"].shape[-1]
    if "hook_embed" not in values:
        values["hook_embed"] = values["blocks.0.hook_resid_pre"]
    values["hook_embed"] = values["hook_embed"].reshape(ROWS, SEQ, d)
    if "hook_pos_embed" in values:
        values["hook_pos_embed"] = values["hook_pos_embed"].expand(ROWS, SEQ, d)
    if where.get("final"):
        norm = module(model, where["final"])
        gain = (1 if norm.weight is None else norm.weight) + (1 if offset_gain else 0)
        bias = getattr(norm, "bias", None)
        values["ln_final.hook_normalized"] = (values.pop("final") - (0 if bias is None else bias)) / gain
    for i, pattern in enumerate(out.attentions or ()):
        values[f"blocks.{i}.attn.hook_pattern"] = pattern
    if where.get("gate_first"):
        for i in range(config.num_hidden_layers):
            name = f"blocks.{i}.mlp.hook_pre"
            values[name] = values[name].chunk(2, -1)[0]
    heads = config.num_attention_heads
    for name in values:
        if name.endswith("hook_z"):
            values[name] = values[name].reshape(ROWS, SEQ, heads, -1)
        elif ".hook_" in name and not name.endswith("pattern"):
            values[name] = values[name].reshape(ROWS, SEQ, -1)
    return values


def save_encoder(folder, case, model, tokens, tap, where, saved):
    """Two sentences in each row, whose tokens are of different types."""
    types = (torch.arange(SEQ) >= SEQ // 2).long().expand(ROWS, SEQ) * (model.config.type_vocab_size - 1)
    with torch.no_grad():
        out = model(tokens, token_type_ids=types, output_attentions=True)
        values = hooks(model, tap, where, model.config, out, False)
    if not case.get("all"):
        values = {k: values[k] for k in [f"blocks.{model.config.num_hidden_layers - 1}.attn.hook_pattern"]}
    values = {"tokens": tokens, "types": types, **values}
    if "logits" in out:
        values["logits"] = out.logits
    save_file({k: v.float().contiguous().clone() for k, v in values.items()}, folder / "golden.safetensors")
    return saved


def make(name, case):
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    raw = case["config"]
    (folder / "config.json").write_text(json.dumps(raw))
    config = AutoConfig.from_pretrained(folder)
    offset_gain = raw["model_type"].startswith(("gemma", "nemotron"))
    encoder = raw["model_type"] == "bert"
    bare = raw["architectures"] == ["BertModel"]
    auto = AutoModel if bare else AutoModelForMaskedLM if encoder else AutoModelForCausalLM
    model = auto.from_config(config, attn_implementation="eager")
    randomise(model, offset_gain)
    model.half().save_pretrained(folder)
    saved = json.loads((folder / "config.json").read_text())
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "config.json").write_text(json.dumps(raw))
    # Written anew: the header that save_pretrained writes is padded with metadata.
    save_file({k: v.contiguous() for k, v in load_file(folder / "model.safetensors").items()}, folder / "model.safetensors")

    # transformers' eager Falcon adds linear biases twice, so the other implementation is asked, which keeps no pattern.
    alibi = raw.get("alibi", False)
    attention = "sdpa" if alibi else "eager"
    # The faster way through the experts has no float64.
    experts = {"experts_implementation": "eager"} if "num_local_experts" in raw else {}
    model = auto.from_pretrained(folder, attn_implementation=attention, dtype=torch.float32, **experts).eval()
    # GPT-2's other order of operations exists in float32 alone.
    if not raw.get("reorder_and_upcast_attn"):
        model = model.double()
    tokens = torch.randint(1, VOCABULARY - 4, (ROWS, SEQ), generator=torch.Generator().manual_seed(2))
    where = MODULES[raw["model_type"]](raw)
    tap = tap_hooks(model, where, model.config)
    if encoder:
        return save_encoder(folder, case, model, tokens, tap, where, saved)
    with torch.no_grad():
        out = model(tokens, output_attentions=not alibi, use_cache=False)
        prompt = tokens[:1, :PROMPT]
        values = hooks(model, tap, where, model.config, out, offset_gain)
        greedy = prompt
        for _ in range(NEW):
            greedy = torch.cat([greedy, model(greedy, use_cache=False).logits[:, -1:].argmax(-1)], 1)
        model.generation_config.eos_token_id = None
        cached = model.generate(prompt, max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False, pad_token_id=0)
    assert cached.tolist() == greedy.tolist(), f"{name}: transformers' cache gives {cached} instead of {greedy}"
    if not case.get("all"):
        values = {k: values[k] for k in [f"blocks.{model.config.num_hidden_layers - 1}.attn.hook_pattern"]}
    values = {"logits": out.logits, "tokens": tokens, "greedy": greedy, **values}
    save_file({k: v.float().contiguous().clone() for k, v in values.items()}, folder / "golden.safetensors")
    return saved


def main():
    disable_progress_bar()
    wanted = sys.argv[1:] or list(CASES)
    path = FIXTURES / "savedConfigs.json"
    saved = json.loads(path.read_text()) if path.exists() else {}
    for name in wanted:
        try:
            saved[name] = make(name, CASES[name])
        except Exception:
            traceback.print_exc()
            shutil.rmtree(FIXTURES / name, ignore_errors=True)
        print(name, flush=True)
    path.write_text(json.dumps({name: saved[name] for name in sorted(saved)}))


main()
