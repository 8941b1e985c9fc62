"""A small WordPiece tokenizer as BERT's is, and what Hugging Face's tokenizers makes of texts with it.

    python scripts/peers/wordPieceTokenizer.py

Writes sae/tokens/fixtures/wordPiece/. Made with tokenizers 0.23.
"""

import json
import random
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FOLDER = Path(__file__).parents[2] / "sae" / "tokens" / "fixtures" / "wordPiece"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = [
    "Hello, world! It's a test.", "  Ünïcödé — naïve café; ÅNGSTRÖM ﬁne", "日本語 and 中文字符混合", "zero\u200bwidth\u200d\ufeff",
    "tab\tnew\nline\r\nend", "don't can't I'm we'll", "$3.50 (50%) #tag @user a_b_c", "unaffable tests testing tested", "x" * 120,
    "😀 👨‍👩‍👧", "İstanbul ıI ß ẞ", "∑∫√ ≤≥ ±", "[MASK] and [SEP] inside [CLS] text", "control\x00\x01\x7f", "ΑΣ Σ ς",
    "\U00020000\U0002a6df\U0002f800 beyond the plane", "a\u0300\u0301b", "one\u00a0nbsp\u3000wide", "", "   ", "한국어 हिन्दी ไทย",
]


def main():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    generator = random.Random(0)
    letters = lambda: "".join(generator.choice("abcdefghinorstuwxé ασς日本語中文'.,!") for _ in range(40))
    corpus = TEXTS[:9] + ["the test of testing is a tested test in the world"] * 20 + [letters() for _ in range(60)]
    tokenizer.train_from_iterator(corpus, trainers.WordPieceTrainer(vocab_size=220, special_tokens=SPECIAL, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(FOLDER / "tokenizer.json"), pretty=False)
    names = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"}
    (FOLDER / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", **names}))
    texts = TEXTS + [letters() for _ in range(20)]
    golden = [{"text": t, "ids": (ids := tokenizer.encode(t).ids), "decoded": tokenizer.decode(ids)} for t in texts]
    (FOLDER / "golden.json").write_text(json.dumps(golden))


main()
