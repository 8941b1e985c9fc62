"""The cases of makeFamilyGoldens.py: config.json by config.json, each field that changes the result away from its default.

The first case of a family has every hook point; `MODULES` says where in transformers' modules each is found.
"""

VOCABULARY = 40

common = {"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 1}
llama_sizes = {
    **common, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 3,
    "num_key_value_heads": 1, "max_position_embeddings": 32, "tie_word_embeddings": False,
}
llama_like = {
    "layers": "model.layers", "attention_output": "self_attn.o_proj", "middle": "post_attention_layernorm",
    "mlp_in": "mlp.gate_proj", "mlp_out": "mlp.down_proj", "final": "model.norm",
}
sandwich = {
    **llama_like, "middle": "pre_feedforward_layernorm", "attention_written": "post_attention_layernorm",
    "mlp_written": "post_feedforward_layernorm",
}


def opt_modules(raw):
    after = not raw.get("do_layer_norm_before", True)
    return {
        "layers": "model.decoder.layers", "attention_output": "self_attn.out_proj",
        "middle": "self_attn_layer_norm" if after else "final_layer_norm", "mlp_in": "fc1", "mlp_out": "fc2",
        "sum": "final_layer_norm" if after else None,
        "embedding": "model.decoder.project_in" if "word_embed_proj_dim" in raw else "model.decoder.embed_tokens",
        "positions": "model.decoder.embed_positions",
        "final": None if after or raw.get("_remove_final_layer_norm") else "model.decoder.final_layer_norm",
    }


def gpt(attention, mlp_in, mlp_out, middle, positions=True):
    return {
        "layers": "transformer.h", "attention_output": attention, "middle": middle, "mlp_in": mlp_in, "mlp_out": mlp_out,
        "embedding": "transformer.wte", "positions": "transformer.wpe" if positions else None,
        "final": "transformer.ln_f",
    }


def megatron(root, attention, middle):
    return {
        "layers": root, "attention_output": f"{attention}.dense", "middle": middle, "mlp_in": "mlp.dense_h_to_4h",
        "mlp_out": "mlp.dense_4h_to_h",
    }


MODULES = {
    "llama": lambda raw: llama_like,
    "mistral": lambda raw: llama_like,
    "qwen2": lambda raw: llama_like,
    "qwen3": lambda raw: llama_like,
    "granite": lambda raw: llama_like,
    "smollm3": lambda raw: llama_like,
    "gemma": lambda raw: llama_like,
    "gemma2": lambda raw: sandwich,
    "gemma3_text": lambda raw: sandwich,
    "olmo2": lambda raw: {
        **llama_like, "middle": "mlp", "attention_written": "post_attention_layernorm",
        "mlp_written": "post_feedforward_layernorm",
    },
    "phi3": lambda raw: {**llama_like, "mlp_in": "mlp.gate_up_proj", "gate_first": True},
    "phi": lambda raw: {
        **llama_like, "attention_output": "self_attn.dense", "middle": None, "mlp_in": "mlp.fc1",
        "mlp_out": "mlp.fc2", "final": "model.final_layernorm",
    },
    "starcoder2": lambda raw: {**llama_like, "mlp_in": "mlp.c_fc", "mlp_out": "mlp.c_proj"},
    "nemotron": lambda raw: {**llama_like, "mlp_in": "mlp.up_proj"},
    "cohere": lambda raw: {**llama_like, "middle": None},
    "stablelm": lambda raw: {
        **llama_like, "middle": None if raw.get("use_parallel_residual") else "post_attention_layernorm",
    },
    "gpt2": lambda raw: gpt("attn.c_proj", "mlp.c_fc", "mlp.c_proj", "ln_2"),
    "gpt_neo": lambda raw: gpt("attn.attention.out_proj", "mlp.c_fc", "mlp.c_proj", "ln_2"),
    "gptj": lambda raw: gpt("attn.out_proj", "mlp.fc_in", "mlp.fc_out", None, False),
    "gpt_neox": lambda raw: {
        **megatron("gpt_neox.layers", "attention", None if raw.get("use_parallel_residual", True) else "post_attention_layernorm"),
        "final": "gpt_neox.final_layer_norm",
    },
    "falcon": lambda raw: {
        **megatron("transformer.h", "self_attention", None if raw.get("parallel_attn", True) else "post_attention_layernorm"),
        "final": "transformer.ln_f",
    },
    # BLOOM adds the residual stream inside its modules, so attention_written is what dense gives.
    "bloom": lambda raw: {**megatron("transformer.h", "self_attention", "post_attention_layernorm"), "final": "transformer.ln_f"},
    "opt": opt_modules,
    "mixtral": lambda raw: {**llama_like, "experts": "mlp", "mlp_in": None},
}

MODULES["bert"] = lambda raw: {
    "layers": ("" if raw["architectures"] == ["BertModel"] else "bert.") + "encoder.layer",
    "embeddings": ("" if raw["architectures"] == ["BertModel"] else "bert.") + "embeddings",
    "attention_output": "attention.output.dense", "middle": "attention.output.LayerNorm", "mlp_in": "intermediate.dense",
    "mlp_out": "output.dense", "sum": "output.LayerNorm", "final": None,
}

ARCHITECTURES = {
    "bert": "BertForMaskedLM",
    "llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM",
    "granite": "GraniteForCausalLM", "smollm3": "SmolLM3ForCausalLM", "gemma": "GemmaForCausalLM",
    "gemma2": "Gemma2ForCausalLM", "gemma3_text": "Gemma3ForCausalLM", "olmo2": "Olmo2ForCausalLM",
    "phi3": "Phi3ForCausalLM", "phi": "PhiForCausalLM", "starcoder2": "Starcoder2ForCausalLM",
    "nemotron": "NemotronForCausalLM", "cohere": "CohereForCausalLM", "stablelm": "StableLmForCausalLM",
    "gpt2": "GPT2LMHeadModel", "gpt_neo": "GPTNeoForCausalLM", "gptj": "GPTJForCausalLM",
    "gpt_neox": "GPTNeoXForCausalLM", "mixtral": "MixtralForCausalLM", "falcon": "FalconForCausalLM", "bloom": "BloomForCausalLM", "opt": "OPTForCausalLM",
}

CASES = {}


def family(model_type, base, **variants):
    def case(config):
        return {"model_type": model_type, "architectures": [ARCHITECTURES[model_type]], **config}


    name = model_type.replace("_", "-")
    CASES[name] = {"config": case(base), "all": True}
    for variant, changes in variants.items():
        every = changes.pop("every_hook", False)
        config = {key: value for key, value in {**base, **changes}.items() if value != "absent"}
        CASES[f"{name}.{variant}"] = {"config": case(config), "all": every}


gpt2 = {**common, "n_embd": 12, "n_layer": 3, "n_head": 3, "n_inner": 20, "n_positions": 32, "layer_norm_epsilon": 0.01}
family(
    "gpt2", gpt2,
    unscaled={"scale_attn_weights": False, "activation_function": "relu"},
    byLayer={"scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True, "activation_function": "quick_gelu"},
    untied={"tie_word_embeddings": False, "n_inner": None, "activation_function": "gelu"},
)

llama = {
    **llama_sizes, "head_dim": 8, "rms_norm_eps": 0.01, "attention_bias": True, "mlp_bias": True, "rope_theta": 100.0,
    "hidden_act": "gelu",
}
scaling3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 24,
}
yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8}
family(
    "llama", llama,
    linear={"rope_scaling": {"type": "linear", "factor": 3.0}},
    dynamic={"rope_scaling": {"type": "dynamic", "factor": 3.0}},
    llama3={"rope_scaling": scaling3},
    yarn={"rope_scaling": yarn},
    yarnTuned={
        "rope_scaling": {**yarn, "beta_fast": 2.0, "beta_slow": 0.5, "mscale": 1.5, "mscale_all_dim": 0.5, "truncate": False},
    },
    yarnFactor={"rope_scaling": {**yarn, "attention_factor": 1.7, "factor": 2.0}},
    # Both say a base: which of them holds?
    twoBases={"rope_theta": 100.0, "rope_parameters": {"rope_type": "default", "rope_theta": 7.0}},
    twoScalings={
        "rope_scaling": {"rope_type": "linear", "factor": 2.0},
        "rope_parameters": {"rope_type": "default", "rope_theta": 7.0},
    },
)

family(
    "mistral", {**llama_sizes, "head_dim": 6, "rms_norm_eps": 0.01, "rope_theta": 50.0, "sliding_window": 3},
    wide={"sliding_window": None, "hidden_act": "gelu_pytorch_tanh", "tie_word_embeddings": True},
)
qwen2 = {
    **llama_sizes, "num_hidden_layers": 3, "rms_norm_eps": 0.01, "rope_theta": 50.0, "use_sliding_window": True,
    "sliding_window": 3, "max_window_layers": 1,
}
family(
    "qwen2", qwen2,
    wide={"use_sliding_window": False, "tie_word_embeddings": True},
    types={"layer_types": ["sliding_attention", "full_attention", "full_attention"]},
)
family(
    "qwen3", {**qwen2, "head_dim": 6, "attention_bias": True, "num_hidden_layers": 2},
    plain={"attention_bias": False, "use_sliding_window": False, "tie_word_embeddings": True, "rope_scaling": yarn},
)
family(
    "gemma", {**llama_sizes, "head_dim": 6, "rms_norm_eps": 0.01, "rope_theta": 50.0, "hidden_act": "gelu", "tie_word_embeddings": True},
    biased={"attention_bias": True, "hidden_act": "silu", "num_attention_heads": 4, "num_key_value_heads": 2},
)
gemma2 = {
    **llama_sizes, "head_dim": 6, "rms_norm_eps": 0.01, "rope_theta": 50.0, "tie_word_embeddings": True, "sliding_window": 3,
    "query_pre_attn_scalar": 11, "attn_logit_softcapping": 1.5, "final_logit_softcapping": 2.0,
}
family(
    "gemma2", gemma2,
    uncapped={"attn_logit_softcapping": None, "final_logit_softcapping": None, "attention_bias": True, "hidden_activation": "silu"},
    types={"layer_types": ["full_attention", "sliding_attention"], "tie_word_embeddings": False},
)
gemma3 = {
    **llama_sizes, "num_hidden_layers": 3, "head_dim": 6, "rms_norm_eps": 0.01, "rope_theta": 500.0, "rope_local_base_freq": 20.0,
    "tie_word_embeddings": True, "sliding_window": 3, "sliding_window_pattern": 2, "query_pre_attn_scalar": 11,
    "attention_bias": True,
}
family(
    "gemma3_text", gemma3,
    scaled={"rope_scaling": {"rope_type": "linear", "factor": 4.0}, "final_logit_softcapping": 2.0},
    types={
        "layer_types": ["full_attention", "sliding_attention", "sliding_attention"], "attention_bias": False,
        "rope_theta": "absent", "rope_local_base_freq": "absent",
        "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 300.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 30.0},
        },
    },
)
neox = {
    **common, "hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 3,
    "max_position_embeddings": 32, "layer_norm_eps": 0.01, "rotary_pct": 0.5, "rotary_emb_base": 50, "tie_word_embeddings": False,
}
family(
    "gpt_neox", neox,
    serial={"use_parallel_residual": False, "rotary_pct": 0.25, "every_hook": True},
    unbiased={"attention_bias": False, "tie_word_embeddings": True, "hidden_act": "gelu_new", "rotary_pct": 1.0},
    scaled={"rope_scaling": {"type": "linear", "factor": 3.0}, "rotary_emb_base": 20},
)
opt = {
    **common, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "ffn_dim": 20, "max_position_embeddings": 32,
    "pad_token_id": 1,
}
family(
    "opt", opt,
    after={"do_layer_norm_before": False, "word_embed_proj_dim": 8, "every_hook": True},
    plain={"enable_bias": False, "layer_norm_elementwise_affine": False, "activation_function": "gelu", "every_hook": False},
    unnormed={"_remove_final_layer_norm": True, "tie_word_embeddings": False},
)
phi = {
    **llama_sizes, "hidden_size": 24, "layer_norm_eps": 0.01, "rope_theta": 50.0, "partial_rotary_factor": 0.75,
}
family(
    "phi", phi,
    normed={"qk_layernorm": True, "partial_rotary_factor": "absent", "hidden_act": "gelu"},
    tied={"tie_word_embeddings": True, "num_key_value_heads": None},
)
phi3 = {
    **llama_sizes, "hidden_size": 24, "rms_norm_eps": 0.01, "rope_theta": 50.0, "sliding_window": 3,
    "original_max_position_embeddings": 32, "pad_token_id": 0,
}
family(
    "phi3", phi3,
    partial={"partial_rotary_factor": 0.75, "sliding_window": None, "tie_word_embeddings": True},
    longRope={
        "original_max_position_embeddings": 16, "sliding_window": None,
        "rope_scaling": {"type": "longrope", "short_factor": [1.1, 1.3, 1.7, 2.0], "long_factor": [2.0, 3.0, 4.0, 5.0]},
    },
)
gptj = {
    **common, "n_embd": 24, "n_layer": 2, "n_head": 3, "n_inner": 20, "n_positions": 32, "rotary_dim": 4, "layer_norm_epsilon": 0.01,
    "tie_word_embeddings": False,
}
family("gptj", gptj, whole={"rotary_dim": 8, "activation_function": "relu", "n_inner": None})
neo = {
    **common, "hidden_size": 12, "num_layers": 2, "num_heads": 3, "intermediate_size": 20, "max_position_embeddings": 32,
    "attention_types": [[["global", "local"], 1]], "window_size": 3, "layer_norm_epsilon": 0.01,
}
family("gpt_neo", neo, untied={"tie_word_embeddings": False, "activation_function": "relu", "attention_types": [[["local"], 2]]})
family(
    "olmo2", {**llama_sizes, "num_attention_heads": 6, "num_key_value_heads": 2, "hidden_size": 24, "rms_norm_eps": 0.01, "rope_theta": 50.0, "attention_bias": True},
    tied={"tie_word_embeddings": True, "attention_bias": False},
)
falcon = {
    **common, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 6, "ffn_hidden_size": 20, "max_position_embeddings": 32,
    "layer_norm_epsilon": 0.01, "bias": True, "rope_theta": 50.0,
}
family(
    "falcon", falcon,
    grouped={"new_decoder_architecture": True, "num_kv_heads": 2, "bias": False, "every_hook": True},
    groupedOneNorm={"new_decoder_architecture": True, "num_kv_heads": 3, "num_ln_in_parallel_attn": 1, "tie_word_embeddings": False},
    alibi={"alibi": True, "multi_query": False, "parallel_attn": False, "every_hook": True, "activation": "relu"},
)
family(
    "bloom", {**common, "n_embed": 12, "n_layer": 2, "num_attention_heads": 3, "layer_norm_epsilon": 0.01, "seq_length": 32},
    untied={"tie_word_embeddings": False, "num_attention_heads": 6},
)
family(
    "starcoder2", {**llama_sizes, "norm_epsilon": 0.01, "rope_theta": 50.0, "sliding_window": 3, "tie_word_embeddings": True},
    unbiased={"use_bias": False, "sliding_window": None, "hidden_act": "relu"},
)
family(
    "nemotron", {**llama_sizes, "head_dim": 8, "norm_eps": 0.01, "rope_theta": 50.0, "attention_bias": True, "mlp_bias": True},
    plain={"attention_bias": False, "mlp_bias": False, "partial_rotary_factor": 0.25, "tie_word_embeddings": True},
)
family(
    "granite", {
        **llama_sizes, "rms_norm_eps": 0.01, "rope_theta": 50.0, "attention_bias": True, "mlp_bias": True, "embedding_multiplier": 3.0,
        "attention_multiplier": 0.7, "residual_multiplier": 0.6, "logits_scaling": 1.5,
    },
    plain={"attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True},
)
family(
    "cohere", {**llama_sizes, "layer_norm_eps": 0.01, "rope_theta": 50.0, "logit_scale": 0.4, "tie_word_embeddings": True},
    normed={"use_qk_norm": True, "attention_bias": True, "num_attention_heads": 6, "num_key_value_heads": 3, "hidden_size": 24},
)
smollm3 = {
    **llama_sizes, "num_hidden_layers": 3, "rms_norm_eps": 0.01, "rope_theta": 50.0, "no_rope_layers": [1, 0, 1], "attention_bias": True,
    "mlp_bias": True, "pad_token_id": 0,
}
family(
    "smollm3", smollm3,
    interval={"no_rope_layers": None, "no_rope_layer_interval": 2, "use_sliding_window": True, "sliding_window": 3, "attention_bias": False, "mlp_bias": False},
)
family(
    "stablelm", {**llama_sizes, "hidden_size": 24, "layer_norm_eps": 0.01, "rope_theta": 50.0, "use_qkv_bias": True},
    parallel={"use_parallel_residual": True, "partial_rotary_factor": 0.5, "every_hook": True},
    normed={"qk_layernorm": True, "use_qkv_bias": False, "num_key_value_heads": 3},
)
family(
    "mixtral", {
        **llama_sizes, "intermediate_size": 8, "rms_norm_eps": 0.01, "rope_theta": 50.0, "sliding_window": 3, "num_local_experts": 3,
        "num_experts_per_tok": 2,
    },
    one={"num_experts_per_tok": 1, "num_local_experts": 4, "sliding_window": None, "hidden_act": "relu", "tie_word_embeddings": True},
)
family(
    "bert", {
        "vocab_size": VOCABULARY, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 3,
        "max_position_embeddings": 32, "type_vocab_size": 3, "layer_norm_eps": 0.01, "hidden_act": "gelu",
    },
    bare={"architectures": ["BertModel"], "type_vocab_size": 2, "hidden_act": "relu", "every_hook": True},
)
