#!/bin/sh
# The command line, from a text to features in another tool's format, on a model that comes with the package. In a
# project with `npm install lazyscope`: sh cli.sh
set -eu

# What the residual stream after block 2 holds on 20,000 tokens of a text.
npx lazyscope capture --model lazyscope-demo-relu --text dataset:sotu --hook blocks.2.hook_resid_post \
  --max-tokens 20000 --name sotu

# Two seeds of one configuration, trained in one pass.
npx lazyscope train --capture sotu --architecture topk --k 16 --width 256 --seeds 0,1 --tokens 40000 --name sotu-topk

# How good they are on tokens they have not seen, what their features mean, and which both found.
npx lazyscope evaluate sotu-topk
npx lazyscope index sotu-topk
npx lazyscope compare sotu-topk

# Which features fire on a text of one's own, in both seeds, and what the model says when one is turned up.
npx lazyscope features sotu-topk/0 sotu-topk/1 --text "The state of the union is strong."
npx lazyscope steer sotu-topk --prompt "The state of the union" --clamp 3=20 --counterpart sotu-topk/1 --max-new-tokens 12

# Every command prints one JSON document with --json.
npx lazyscope evaluate sotu-topk --seeds 0 --json >evaluation.json

# For SAELens, sparsify, Gemma Scope or dictionary_learning.
npx lazyscope export sotu-topk/0 --format saelens --to sotu-topk-saelens
