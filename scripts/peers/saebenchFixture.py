"""What SAEBench itself computes from planted activations: k-sparse probing, targeted probe perturbation, spurious correlation removal and
first-letter absorption.

    python scripts/peers/saebenchFixture.py > sae/probing/fixtures/saebench.json

Its functions are called as its evaluations call them, with activations in place of a language model's and fixed numbers in place of a
data set. Random orders are the identity, so that both sides take the same documents; with them the sets are the same but for which
negatives are drawn.

    pip install sae-bench==0.6.0 sae-lens==6.54.12 scikit-learn==1.9.1
"""

import contextlib
import importlib.metadata
import json
import os
import sys

# Its checks of shapes refuse its own calls with newer releases of jaxtyping.
os.environ["JAXTYPING_DISABLE"] = "1"

import torch

torch.set_num_threads(1)
torch.manual_seed(3)
with contextlib.redirect_stdout(sys.stderr):
    import sae_bench.evals.absorption.feature_absorption as feature_absorption
    import sae_bench.evals.absorption.k_sparse_probing as k_sparse
    from sae_bench.evals.absorption.main import _aggregate_results_df
    from sae_bench.evals.absorption.probing import train_multi_probe
    import sae_bench.evals.scr_and_tpp.main as tpp
    import sae_bench.evals.sparse_probing.probe_training as probing
    from sae_bench.evals.absorption.feature_absorption_calculator import FeatureAbsorptionCalculator
    from sae_bench.sae_bench_utils.activation_collection import (
        create_meaned_model_activations,
        get_sae_meaned_activations,
    )
    from sae_lens.saes import StandardSAE, StandardSAEConfig

KS, NS, MOST_LATENTS = [1, 2, 5], [1, 2, 5], 3


def rounded(tensor, digits=4):
    """Numbers that JSON holds exactly as both sides use them."""
    return torch.round(tensor * 10**digits) / 10**digits


def listed(tensor):
    return [round(value, 9) for value in tensor.detach().double().flatten().tolist()]


def make_sae(w_enc, b_enc, w_dec):
    """Encoder and decoder latent by latent [latents, d]; nothing fires on a row of zeros."""
    latents, d = w_dec.shape
    sae = StandardSAE(StandardSAEConfig(d_in=d, d_sae=latents, apply_b_dec_to_input=False))
    with torch.no_grad():
        sae.W_enc.copy_(w_enc.T)
        sae.b_enc.copy_(b_enc)
        sae.W_dec.copy_(w_dec)
        sae.b_dec.zero_()
    return sae


def described(sae):
    return {
        "d": sae.cfg.d_in,
        "latents": sae.cfg.d_sae,
        "wEnc": listed(sae.W_enc.T.contiguous()),
        "bEnc": listed(sae.b_enc),
        "wDec": listed(sae.W_dec),
    }


def unit_rows(*shape):
    return torch.nn.functional.normalize(torch.randn(*shape), dim=-1)


def documents():
    """Three classes, each with a direction of its own in noise; the same for every token of a document but for more noise."""
    d, latents, tokens, sizes = 10, 16, 3, {"train": 20, "test": 12}
    directions = unit_rows(latents, d)
    sae = make_sae(rounded(directions), rounded(-0.3 - 0.2 * torch.rand(latents)), rounded(directions * 0.9))
    acts = {
        part: {
            name: rounded(0.9 * directions[c] + 0.45 * torch.randn(count, 1, d) + 0.3 * torch.randn(count, tokens, d))
            for c, name in enumerate(["red", "green", "blue"])
        }
        for part, count in sizes.items()
    }
    pooled = {part: create_meaned_model_activations(own) for part, own in acts.items()}
    codes = {part: get_sae_meaned_activations(own, sae, 5) for part, own in acts.items()}
    k_sparse_results = []
    for space, data in (("latents", codes), ("coordinates", pooled)):
        for k in [*KS, None]:
            if space == "latents" and k is None:
                continue
            probes, accuracies = probing.train_probe_on_activations(data["train"], data["test"], select_top_k=k)
            for name, probe in probes.items():
                chosen = None
                if k is not None:
                    x, y = probing.prepare_probe_data(data["train"], name)
                    mask = probing.get_top_k_mean_diff_mask(x, y, k)
                    chosen = (~mask).nonzero().flatten().tolist()
                k_sparse_results.append(
                    {
                        "space": space,
                        "k": k,
                        "class": name,
                        "chosen": chosen,
                        "weights": [round(w, 6) for w in probe.coef_[0].tolist()],
                        "bias": round(float(probe.intercept_[0]), 6),
                        "accuracy": accuracies[name],
                    }
                )
    torch.set_grad_enabled(True)
    probes, _ = probing.train_probe_on_activations(
        pooled["train"], pooled["test"], use_sklearn=False, epochs=40, lr=1e-2, early_stopping_patience=40,
        l1_penalty=1e-3,
    )
    torch.set_grad_enabled(False)
    names = list(probes)
    effects = tpp.get_all_node_effects_for_one_sae(sae, probes, names, False, acts["train"], 5)
    clean = tpp.get_probe_test_accuracy(probes, names, pooled["test"], 50, False)
    ablated = tpp.perform_feature_ablations(probes, sae, 5, acts["test"], effects, NS, names, 50, False)
    scores, _ = tpp.create_tpp_plotting_dict(ablated, clean)
    return {
        "sae": described(sae),
        "tokens": tokens,
        "classes": [
            {"name": name, "train": listed(acts["train"][name]), "test": listed(acts["test"][name])} for name in names
        ],
        "sparseProbing": k_sparse_results,
        "perturbation": {
            "probes": [
                {"weights": listed(probes[name].net.weight), "bias": listed(probes[name].net.bias)[0]} for name in names
            ],
            "effects": [listed(effects[name]) for name in names],
            "clean": [clean[name] for name in names],
            "byN": [
                {
                    "n": n,
                    "tpp": scores[f"tpp_threshold_{n}_total_metric"],
                    "intended": scores[f"tpp_threshold_{n}_intended_diff_only"],
                    "unintended": scores[f"tpp_threshold_{n}_unintended_diff_only"],
                    "accuracies": [[ablated[a][n][b] for b in names] for a in names],
                }
                for n in NS
            ],
        },
    }


def properties():
    """Two properties, each with a direction of its own, the second stronger; and noise. The sets are made as `get_spurious_corr_data` makes them."""
    d, latents, tokens, sizes = 10, 16, 3, {"train": 20, "test": 12}
    directions = unit_rows(latents, d)
    sae = make_sae(rounded(directions), rounded(-0.3 - 0.2 * torch.rand(latents)), rounded(directions * 0.9))
    strengths = {"both": (0.7, 1.2), "firstAlone": (0.7, 0.0), "secondAlone": (0.0, 1.2), "neither": (0.0, 0.0)}
    acts = {
        part: {
            name: rounded(
                a * directions[0] + b * directions[1] + 0.25 * torch.randn(count, 1, d) + 0.2 * torch.randn(count, tokens, d)
            )
            for name, (a, b) in strengths.items()
        }
        for part, count in sizes.items()
    }

    def sets(own):
        half = len(own["both"]) // 2
        some = {name: values[:half] for name, values in own.items()}
        return {
            "professor / nurse": torch.cat([some["both"], some["firstAlone"]]),
            "nurse_data_only": torch.cat([some["secondAlone"], some["neither"]]),
            "male / female": torch.cat([some["both"], some["secondAlone"]]),
            "female_data_only": torch.cat([some["firstAlone"], some["neither"]]),
            "male_professor / female_nurse": own["both"],
            "female_nurse_data_only": own["neither"],
        }

    of_sets = {part: sets(own) for part, own in acts.items()}
    pooled = {part: create_meaned_model_activations(own) for part, own in of_sets.items()}
    names = {"first": "professor / nurse", "second": "male / female", "biased": "male_professor / female_nurse"}
    torch.set_grad_enabled(True)
    probes, _ = probing.train_probe_on_activations(
        pooled["train"], pooled["test"], use_sklearn=False, epochs=80, lr=3e-2, early_stopping_patience=80,
        l1_penalty=1e-3, perform_scr=True,
    )
    torch.set_grad_enabled(False)
    chosen = list(names.values())
    effects = tpp.get_all_node_effects_for_one_sae(sae, probes, chosen, True, of_sets["train"], 5)
    clean = tpp.get_probe_test_accuracy(probes, chosen, pooled["test"], 50, True)
    ablated = tpp.perform_feature_ablations(probes, sae, 5, of_sets["test"], effects, NS, chosen, 50, True)
    scores = tpp.get_scr_plotting_dict(ablated, clean)
    return {
        "sae": described(sae),
        "tokens": tokens,
        "classes": [{"name": name, "train": listed(acts["train"][name]), "test": listed(acts["test"][name])} for name in strengths],
        "probes": {
            key: {"weights": listed(probes[name].net.weight), "bias": listed(probes[name].net.bias)[0]}
            for key, name in names.items()
        },
        "effects": {key: listed(effects[names[key]]) for key in ("first", "second")},
        "oracle": {key: clean[names[key]] for key in ("first", "second")},
        "biased": {key: clean[f"{names['biased']} probe on {names[key]} data"] for key in ("first", "second")},
        "byN": [
            {
                "n": n,
                "first": scores[f"scr_dir1_threshold_{n}"],
                "second": scores[f"scr_dir2_threshold_{n}"],
                "counts": scores.get(f"scr_metric_threshold_{n}"),
            }
            for n in NS
        ],
    }


class ModelOfWords:
    """Stands for a language model: at the token of a word stand that word's activations."""

    tokenizer = object()

    def __init__(self, acts):
        self.acts = acts

    def to_tokens(self, _prompt):
        return [[0]]

    def run_with_cache(self, prompts, names_filter):
        rows = torch.stack([self.acts[prompt.split("\n")[-1].split(" ")[-1].rstrip(":")] for prompt in prompts])
        return None, {names_filter[0]: torch.stack([rows * 0, rows, rows * 0], dim=1)}


def words():
    """Three letters, each with a direction. Of each letter five words have a latent of their own that holds the letter too, and silences the letter's latent more or less."""
    d, letters, kinds, others, each = 20, 3, 5, 8, 52
    basis = torch.linalg.qr(torch.randn(d, d))[0]
    letter_of, word_of = basis[:letters], basis[letters : letters * (kinds + 1)].reshape(letters, kinds, d)
    absorbing = torch.nn.functional.normalize(letter_of[:, None] * 0.8 + word_of * 1.2, dim=-1).reshape(-1, d)
    silences = torch.tensor([0.7, 0.5, 0.4, 0.75, 0.2])
    w_enc = torch.cat([letter_of - (word_of * silences[:, None]).sum(1), word_of.reshape(-1, d), unit_rows(others, d) * 0.6])
    w_dec = torch.cat([letter_of * 0.8, absorbing, unit_rows(others, d)])
    sae = make_sae(rounded(w_enc), rounded(torch.full((len(w_dec),), -0.35)), rounded(w_dec))
    labels, rows = {"train": [], "test": []}, {"train": [], "test": []}
    for letter in range(letters):
        for number in range(each):
            x = letter_of[letter] * (3 + 0.2 * torch.randn(1)) + 0.1 * torch.randn(d)
            if number < 2 * kinds:
                x += 4 * word_of[letter, number // 2]
            part = "test" if number % 2 else "train"
            labels[part].append((f"{k_sparse.LETTERS[letter]}{number}", letter))
            rows[part].append(rounded(x))
    x = {part: torch.stack(own) for part, own in rows.items()}
    one_hot = torch.nn.functional.one_hot(torch.tensor([letter for _, letter in labels["train"]]))
    for module in (k_sparse, feature_absorption):
        module.LETTERS = "abc"
    torch.set_grad_enabled(True)
    probe = train_multi_probe(x["train"], one_hot, device="cpu", show_progress=False)
    sparse = k_sparse.train_k_sparse_probes(
        sae, labels["train"], x["train"], ks=list(range(1, MOST_LATENTS + 1)), num_epochs=1500, precalc_sae_acts=True
    )
    torch.set_grad_enabled(False)
    raw = k_sparse.eval_probe_and_sae_k_sparse_raw_scores(sae, probe, sparse, labels["test"], x["test"])
    metadata = k_sparse.sae_k_sparse_metadata(sae, probe, sparse, "planted", 0)
    metrics = k_sparse.build_metrics_df(raw, metadata, MOST_LATENTS)
    k_sparse.add_feature_splits_to_metrics_df(metrics, MOST_LATENTS)
    by_word = {word: row for (word, _), row in zip(labels["test"], x["test"])}
    calculator = FeatureAbsorptionCalculator(
        model=ModelOfWords(by_word), icl_word_list=["a0"], max_icl_examples=0, prepend_separator_to_first_example=False
    )
    results = []
    for index, letter in enumerate("abc"):
        own = metrics[metrics["letter"] == letter].iloc[0]
        found = raw[(raw["answer_letter"] == letter) & (raw[f"score_probe_{letter}"] > 0)]["token"].tolist()
        main = [int(latent) for latent in own["split_feats"]]
        measured = calculator.calculate_absorption(sae, found, probe.weights[index], main, 0, show_progress=False)
        results.append(
            {
                "letter": letter,
                "probe": {"weights": listed(probe.weights[index]), "bias": listed(probe.biases[index])[0]},
                "probeF1": float(own["f1_probe"]),
                "latents": main,
                "latentF1": float(own[f"f1_sparse_sae_{len(main)}"]),
                "words": [
                    {
                        "word": [word for word, _ in labels["test"]].index(one.word),
                        "fraction": float(one.absorption_fraction),
                        "full": bool(one.is_full_absorption),
                    }
                    for one in measured.word_results
                ],
            }
        )
    return {
        "sae": described(sae),
        "words": {
            part: {"letters": [letter for _, letter in labels[part]], "x": listed(x[part])} for part in ("train", "test")
        },
        "letters": results,
    }


def main():
    with contextlib.redirect_stdout(sys.stderr):
        identity = torch.randperm
        torch.randperm = lambda count, **_: torch.arange(count)
        made = documents()
        torch.randperm = identity
        of_words = words()
        # Both sides of its sets are of one size, so that random orders change no set.
        of_properties = properties()
        fixture = {
            "packages": {name: importlib.metadata.version(name) for name in ("sae-bench", "sae-lens", "scikit-learn")},
            "documents": made,
            "words": of_words,
            "properties": of_properties,
        }
    json.dump(fixture, sys.stdout)


main()
