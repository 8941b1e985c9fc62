"""Goldens for sae/models from the independent implementations: Hugging Face's transformers and tokenizers.

    python scripts/peers/makeModelGoldens.py

Writes sae/models/fixtures/: a tiny GPT-2 (F32), a tiny Llama with grouped-query attention, biases and its own head
width (BF16, in shards), what they compute in float64, a byte-level vocabulary learnt by `tokenizers`, and
activation functions with their derivatives. Made with torch 2.15, transformers 5.23, tokenizers 0.23.
"""

import json
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.activations import ACT2FN

SAE = Path(__file__).parents[2] / "sae"
FIXTURES = SAE / "models" / "fixtures"
VOCABULARY = 320
SENTENCES = [
    "The whale rose; don't you see it's 1851?",
    "  two spaces, a tab\tand\n\n\nlines  ",
    "naïve façade — Ἰλιάς 東京 🐋 x²",
    "",
]


def rounded(tensor):
    return [float(f"{x:.9g}") for x in tensor.double().flatten().tolist()]


def learn_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train([str(SAE / "tokens" / "fixtures" / "text.txt")], trainer)
    return tokenizer


def randomise(model):
    """Defaults are too tame to catch a mistake: gains are 1 and biases 0."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            gain = name.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight", "norm.weight"))
            parameter.copy_(1 + 0.3 * noise if gain else 0.3 * noise)


def golden(folder, model, tokenizer, **save):
    model.save_pretrained(folder, **save)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    ).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    # Read back: casting the model itself to bfloat16 would have rounded the rotary frequencies too.
    model = type(model).from_pretrained(folder, attn_implementation="eager").double().eval()
    tokens = torch.randint(1, VOCABULARY, (2, 12), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        out = model(tokens, labels=tokens, output_hidden_states=True, output_attentions=True)
        prompt = tokens[:1, :4]
        greedy = prompt
        for _ in range(12):
            greedy = torch.cat([greedy, model(greedy).logits[:, -1:].argmax(-1)], 1)
    (folder / "golden.json").write_text(
        json.dumps(
            {
                "tokens": tokens.tolist(),
                "meanCrossEntropy": float(out.loss),
                # embedding, each block's output; transformers' last one is after the final norm
                "hiddenStates": [rounded(h) for h in out.hidden_states],
                "pattern": rounded(out.attentions[-1]),
                "lastLogits": rounded(out.logits[:, -1]),
                "greedy": greedy[0].tolist(),
            }
        )
    )


def main():
    torch.manual_seed(0)
    tokenizer = learn_tokenizer()
    definition = json.loads(tokenizer.to_str())
    (SAE / "tokens" / "fixtures" / "bytePairs.json").write_text(
        json.dumps(
            {
                "vocabularySize": VOCABULARY,
                "merges": [m if isinstance(m, str) else " ".join(m) for m in definition["model"]["merges"]],
                "sentences": [{"text": s, "ids": tokenizer.encode(s).ids} for s in SENTENCES],
            },
            ensure_ascii=False,
        )
    )

    for name in ["tinyGpt2", "tinyLlama"]:
        shutil.rmtree(FIXTURES / name, ignore_errors=True)
    gpt2 = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY, n_positions=32, n_embd=16, n_layer=2, n_head=4, n_inner=40,
            bos_token_id=0, eos_token_id=0, attn_implementation="eager",
        )
    )
    randomise(gpt2)
    golden(FIXTURES / "tinyGpt2", gpt2, tokenizer)

    llama = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, head_dim=6, max_position_embeddings=32,
            attention_bias=True, mlp_bias=True, hidden_act="gelu", rope_theta=500.0,
            bos_token_id=0, eos_token_id=0, attn_implementation="eager",
        )
    )
    randomise(llama)
    golden(FIXTURES / "tinyLlama", llama.bfloat16(), tokenizer, max_shard_size="8KB")

    x = torch.linspace(-6, 6, 49, dtype=torch.float64, requires_grad=True)
    table = {"x": rounded(x.detach())}
    for name in ["relu", "gelu", "gelu_new", "silu"]:
        y = ACT2FN[name](x)
        (slope,) = torch.autograd.grad(y.sum(), x)
        table[name] = {"y": rounded(y.detach()), "slope": rounded(slope)}
    (SAE / "models" / "activationFunctions" / "fixtures" / "activations.json").write_text(json.dumps(table))


main()
