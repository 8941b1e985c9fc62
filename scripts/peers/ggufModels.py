"""Makes sae/models/gguf/fixtures: tiny random models of each architecture as GGUF files, with what `transformers` computes
from the same weights, and a vocabulary of each kind with what `tokenizers` makes of sentences.

    ../peers/bin/pip install gguf torch transformers && ../peers/bin/python scripts/peers/ggufModels.py

Tensor names come from the `gguf` package's own map. What llama.cpp's converter does to weights is done here as it does it,
and where `transformers` reads such files itself, its logits from the file must be those of the model.
"""
import json
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from gguf import GGMLQuantizationType as T
from gguf import MODEL_ARCH as A

folder = Path(__file__).resolve().parents[2] / "sae" / "models" / "gguf" / "fixtures"
folder.mkdir(parents=True, exist_ok=True)
VOCAB, LAYERS, CONTEXT = 64, 2, 32
TOKENS = torch.randint(1, VOCAB, (2, 12), generator=torch.Generator().manual_seed(2))


def permute(heads):
    """Halves of a head to neighbours: convert_hf_to_gguf.py, LlamaModel.permute."""
    return lambda w: w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def common(writer, config):
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(config.intermediate_size if hasattr(config, "intermediate_size") else config.n_inner)
    writer.add_head_count(config.num_attention_heads)


def rotary(writer, config):
    common(writer, config)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def llama(writer, config):
    rotary(writer, config)
    writer.add_vocab_size(VOCAB)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)


def gpt2(writer, config):
    common(writer, config)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)


def keyed(writer, config):
    rotary(writer, config)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)


def gemma2(writer, config):
    keyed(writer, config)
    writer.add_sliding_window(config.sliding_window)
    writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
    writer.add_final_logit_softcapping(config.final_logit_softcapping)


def gemma3(writer, config):
    common(writer, config)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["full_attention"]["rope_theta"])
    writer.add_sliding_window(config.sliding_window)


def starcoder2(writer, config):
    common(writer, config)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_eps(config.norm_epsilon)


def phi3(writer, config):
    rotary(writer, config)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_rope_scaling_orig_ctx_len(config.original_max_position_embeddings)
    writer.add_sliding_window(config.sliding_window)


def neox(writer, config):
    common(writer, config)
    writer.add_rope_dimension_count(int(config.rope_parameters["partial_rotary_factor"] * config.hidden_size / config.num_attention_heads))
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_parallel_residual(config.use_parallel_residual)
    writer.add_layer_norm_eps(config.layer_norm_eps)


def plus_one(w):
    return w + 1


def one_after_another(heads):
    """GPT-NeoX: head by head to all queries, all keys, all values."""
    def change(w):
        parts = w.reshape(heads, 3, w.shape[0] // heads // 3, *w.shape[1:])
        return np.concatenate([parts[:, i].reshape(-1, *w.shape[1:]) for i in range(3)])
    return change


ROPE = {"rope_type": "default", "rope_theta": 500.0}
# name: architecture, model, metadata, changes by the end of a name, whether transformers reads such a file
MODELS = {
    "llama": (
        A.LLAMA,
        transformers.LlamaForCausalLM(
            transformers.LlamaConfig(
                vocab_size=VOCAB, hidden_size=32, intermediate_size=64, num_hidden_layers=LAYERS, num_attention_heads=4,
                num_key_value_heads=2, head_dim=8, max_position_embeddings=CONTEXT, rms_norm_eps=1e-3,
                rope_parameters=ROPE, tie_word_embeddings=False,
            )
        ),
        llama,
        {"q_proj.weight": permute(4), "k_proj.weight": permute(2)},
        True,
    ),
    # Biases, tied embeddings and heads narrower than the model.
    "llamaBiased": (
        A.LLAMA,
        transformers.LlamaForCausalLM(
            transformers.LlamaConfig(
                vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=LAYERS, num_attention_heads=4,
                num_key_value_heads=1, head_dim=6, max_position_embeddings=CONTEXT, rms_norm_eps=1e-3,
                rope_parameters=ROPE, tie_word_embeddings=True, attention_bias=True, mlp_bias=True,
            )
        ),
        llama,
        {p: permute(4 if p[0] == "q" else 1) for p in ["q_proj.weight", "q_proj.bias", "k_proj.weight", "k_proj.bias"]},
        False,
    ),
    # (transformers takes such a file's context length and inner width for the default ones.)
    "gpt2": (
        A.GPT2,
        transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                vocab_size=VOCAB, n_positions=CONTEXT, n_embd=16, n_layer=LAYERS, n_head=4, n_inner=40,
                layer_norm_epsilon=1e-3, bos_token_id=0, eos_token_id=0,
            )
        ),
        gpt2,
        {f"{p}.weight": lambda w: w.T for p in ["c_attn", "c_proj", "c_fc"]},
        False,
    ),
}
SHARED = dict(
    vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=LAYERS, num_attention_heads=4,
    max_position_embeddings=CONTEXT, bos_token_id=0, eos_token_id=0, pad_token_id=None,
)
GROUPED = dict(SHARED, num_key_value_heads=2, rms_norm_eps=1e-3, rope_parameters=ROPE)
NORMS = {"norm.weight": plus_one}
HALVES = {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.5}
MODELS |= {
    "qwen2": (A.QWEN2, transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**GROUPED, tie_word_embeddings=True)), rotary, {}, True),
    "qwen3": (A.QWEN3, transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**GROUPED, head_dim=6)), keyed, {}, False),
    "gemma": (A.GEMMA, transformers.GemmaForCausalLM(transformers.GemmaConfig(**GROUPED, head_dim=6, hidden_act="gelu_pytorch_tanh")), keyed, NORMS, False),
    # The window is shorter than the text, and the caps are near the numbers.
    "gemma2": (
        A.GEMMA2,
        transformers.Gemma2ForCausalLM(transformers.Gemma2Config(
            **GROUPED, head_dim=6, sliding_window=5, query_pre_attn_scalar=6, attn_logit_softcapping=2.0, final_logit_softcapping=3.0,
        )),
        gemma2, NORMS, False,
    ),
    "gemma3": (
        A.GEMMA3,
        transformers.Gemma3ForCausalLM(transformers.Gemma3TextConfig(
            **{k: v for k, v in GROUPED.items() if k != "rope_parameters"}, head_dim=6, sliding_window=5, query_pre_attn_scalar=6,
            rope_parameters={"full_attention": ROPE, "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0}},
        )),
        gemma3, NORMS, False,
    ),
    "olmo2": (A.OLMO2, transformers.Olmo2ForCausalLM(transformers.Olmo2Config(**GROUPED)), rotary, {}, False),
    "starcoder2": (
        A.STARCODER2,
        transformers.Starcoder2ForCausalLM(transformers.Starcoder2Config(
            **SHARED, num_key_value_heads=2, norm_epsilon=1e-3, rope_parameters=ROPE, sliding_window=None, tie_word_embeddings=True,
        )),
        starcoder2, {}, False,
    ),
    "phi3": (A.PHI3, transformers.Phi3ForCausalLM(transformers.Phi3Config(**GROUPED, original_max_position_embeddings=CONTEXT, sliding_window=5)), phi3, {}, False),
    "gptneox": (
        A.GPTNEOX,
        transformers.GPTNeoXForCausalLM(transformers.GPTNeoXConfig(**SHARED, layer_norm_eps=1e-3, rope_parameters=HALVES, use_parallel_residual=True)),
        neox, {"query_key_value.weight": one_after_another(4), "query_key_value.bias": one_after_another(4)}, False,
    ),
}
# Number formats of the first model's tensors; the others are F16.
MIXED = {
    "token_embd": T.Q8_0, "attn_q": T.Q5_1, "attn_k": T.Q4_0, "attn_v": T.Q5_0, "attn_output": T.BF16,
    "ffn_gate": T.Q4_1, "ffn_up": T.Q8_0, "ffn_down": T.F16, "output": T.F32,
}


def randomise(model):
    """Nothing at its default: gains near 1, biases near 0, all rounded to half precision."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            gain = parameter.ndim == 1 and name.endswith("weight") and "gemma" not in type(model).__name__.lower()
            parameter.copy_((1 + 0.3 * noise if gain else 0.3 * noise).half().float())
    return model.eval()


def quantise(name, values):
    kind = MIXED.get(name.split(".")[-2], T.F32) if values.ndim == 2 else T.F32
    return kind, gguf.quants.quantize(np.ascontiguousarray(values), kind)


def write(name):
    architecture, model, metadata, changes, readable = MODELS[name]
    randomise(model)
    config = model.config
    arch = gguf.MODEL_ARCH_NAMES[architecture]
    path = folder / f"{name}.gguf"
    writer = gguf.GGUFWriter(path, arch)
    writer.add_name(f"Tiny {name}")
    metadata(writer, config)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(["<|endoftext|>", *map(chr, range(33, 33 + VOCAB - 2)), '!"'])
    writer.add_token_types([3] + [1] * (VOCAB - 1))
    writer.add_token_merges(['! "'])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    names = gguf.get_tensor_name_map(architecture, LAYERS)
    state = model.state_dict()
    tied = config.tie_word_embeddings
    for key, tensor in state.items():
        if (tied and key == "lm_head.weight") or key.endswith((".attn.bias", "inv_freq")):
            continue
        stored = names.get_name(key, try_suffixes=(".weight", ".bias"))
        assert stored, key
        values = tensor.float().numpy()
        for end, change in changes.items():
            if key.endswith(end):
                values = change(values)
        if name == "llama":
            kind, data = quantise(stored, values)
            back = gguf.quants.dequantize(data, kind).reshape(values.shape)
            # What the file holds is the model; a permutation of rows is undone by applying it the other way round.
            inverse = np.empty_like(back)
            order = np.arange(values.shape[0])
            for end, change in changes.items():
                if key.endswith(end):
                    order = change(order)
            inverse[order] = back
            tensor.copy_(torch.from_numpy(inverse))
            writer.add_tensor(stored, data, raw_dtype=kind)
        else:
            half = values.ndim == 2
            writer.add_tensor(stored, np.ascontiguousarray(values).astype(np.float16 if half else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model.load_state_dict(state)
    with torch.no_grad():
        out = model.double()(TOKENS, labels=TOKENS, output_hidden_states=True)
        if readable:
            read = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=path.name, dtype=torch.float32)
            difference = (read.double()(TOKENS).logits - out.logits).abs().max()
            assert difference < 1e-4, (name, difference)
            print(name, "read by transformers, logits differ by", float(difference))
    digits = lambda tensor: [float(f"{x:.7g}") for x in tensor.flatten().tolist()]
    return {
        "name": f"Tiny {name}",
        "meanCrossEntropy": float(out.loss),
        "lastLogits": digits(out.logits[:, -1]),
        # After the embedding and after each block but the last, whose row here is after the final norm.
        "lastStates": [digits(state[0, -1]) for state in out.hidden_states],
    }


if __name__ == "__main__":
    golden = {"tokens": TOKENS.tolist(), "models": {name: write(name) for name in sys.argv[1:] or MODELS}}
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
