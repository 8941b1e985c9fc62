"""Makes vocabularies as GGUF files in sae/models/gguf/fixtures, and what Hugging Face's `tokenizers` makes of sentences with
the same vocabularies: byte-level BPE under each way of cutting words, and SentencePiece BPE (the vocabulary of stories260K).

    ../peers/bin/python scripts/peers/ggufTokenizers.py ../shared/models/stories260K/tokenizer.json
"""
import json
import sys
from pathlib import Path

import gguf
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

sae = Path(__file__).resolve().parents[2] / "sae"
folder = sae / "models" / "gguf" / "fixtures"
SENTENCES = [
    "The whale rose; DON'T you see it's 1851, or 20234567?",
    "  two spaces, a tab\tand\n\n\nlines  \r\n  x",
    "nai\u0308ve façade — Ἰλιάς 東京 🐋 x² ½ it'S WE'LL",
    "<|endoftext|>a <|endoftext|> b",
    "snake_case(x): return {'a': [1,22,333,4444]}",
    "a word that no merge makes: zyxwv",
]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
level = pre_tokenizers.ByteLevel


def split(pattern):
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), level(add_prefix_space=False, use_regex=False)]
    )


# name: normaliser, pre-tokeniser, whether whole words are looked up first
CUTS = {
    "gpt-2": (None, level(add_prefix_space=False), False),
    "olmo": (normalizers.NFC(), level(add_prefix_space=False), False),
    "smollm": (None, pre_tokenizers.Sequence([pre_tokenizers.Digits(True), level(add_prefix_space=False)]), False),
    "llama-bpe": (None, split(LLAMA3), True),
    "dbrx": (None, split(LLAMA3), False),
    "qwen2": (normalizers.NFC(), split(QWEN2), False),
}


def write(path, kind, tokens, types, **more):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(kind)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    for name, value in more.items():
        getattr(writer, f"add_{name}")(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    tokenizer = Tokenizer(models.BPE())
    # Nothing is cut but lines, so that merges reach across every border that one of the ways draws.
    tokenizer.pre_tokenizer = level(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<|endoftext|>"], initial_alphabet=level.alphabet(), show_progress=False
    )
    words = [word for sentence in SENTENCES[:-1] for word in sentence.replace("<|endoftext|>", "").split(" ")]
    pairs = [" ".join(pair) for pair in zip(words, words[1:])]
    tokenizer.train_from_iterator([*words, *pairs, *SENTENCES[:-1]], trainer)
    definition = json.loads(tokenizer.to_str())["model"]
    definition["vocab"]["Ġzyxwv"] = len(definition["vocab"])
    tokens = sorted(definition["vocab"], key=definition["vocab"].get)
    merges = [m if isinstance(m, str) else " ".join(m) for m in definition["merges"]]
    write(
        folder / "bytePairs.gguf", "gpt2", tokens, [3] + [1] * (len(tokens) - 1), tokenizer_pre="gpt-2",
        token_merges=merges, bos_token_id=0, eos_token_id=0, add_bos_token=False,
    )
    golden = {"bytePairs": {}, "sentencePieces": []}
    for name, (normaliser, cut, whole) in CUTS.items():
        it = Tokenizer(models.BPE(definition["vocab"], [tuple(m.split(" ")) for m in merges], ignore_merges=whole))
        if normaliser:
            it.normalizer = normaliser
        it.pre_tokenizer = cut
        it.decoder = decoders.ByteLevel()
        it.add_special_tokens(["<|endoftext|>"])
        golden["bytePairs"][name] = [{"text": s, "ids": it.encode(s).ids} for s in SENTENCES]
    stories = json.loads(Path(sys.argv[1]).read_text())
    pieces = sorted(stories["model"]["vocab"], key=stories["model"]["vocab"].get)
    # SentencePiece's BPE trainer scores the pieces it makes 0, −1, −2 … in the order in which it makes them; the rest is 0.
    order = [a + b for a, b in (m if isinstance(m, list) else m.split(" ") for m in stories["model"]["merges"])]
    made = {piece: -float(i) for i, piece in enumerate(dict.fromkeys(order))}
    types = [2, 3, 3] + [6] * 256 + [1] * (len(pieces) - 259)
    write(
        folder / "sentencePieces.gguf", "llama", pieces, types, tokenizer_pre="default",
        token_scores=[made.get(piece, 0.0) for piece in pieces], bos_token_id=1, eos_token_id=2, unk_token_id=0, add_bos_token=True,
    )
    original = Tokenizer.from_file(sys.argv[1])
    for sentence in [*SENTENCES, "", "Lily <s> went </s>", "tab\t\tand    spaces"]:
        encoding = original.encode(sentence).ids
        golden["sentencePieces"].append({"text": sentence, "ids": encoding, "decoded": original.decode(encoding)})
    (folder / "tokenizers.json").write_text(json.dumps(golden) + "\n")


main()
