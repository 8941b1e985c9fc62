/**
 * A language model for tests whose activations are known in closed form: token t at position p has
 * embedding e_j = (t + j)/4, residual r_j = e_j + p/8 and MLP activation m = (r, −r); all are exact in float16.
 * Logits are r·W_U with W_U[j, v] = sin(1 + v(j + 1)). Letters are tokens 1 to 26 and token 0 separates documents.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { tf, type Tensor, type Tensor3D } from '../tensor/tf.ts';

export const toy = { d: 4, vocabulary: 27, contextLength: 16 } as const;
const hookPoints: HookPoint[] = ['hook_embed', 'blocks.0.mlp.hook_post', 'blocks.0.hook_resid_post'];

/** Calls of `forward` are counted, so that a test can see that nothing was run twice. */
export function toyLanguageModel(): LanguageModel & { calls: number } {
  const folder = mkdtempSync(join(tmpdir(), 'lazyscope-toy-'));
  writeFileSync(join(folder, 'config.json'), '{"toy":true}');
  const { d, vocabulary } = toy;
  const unembedding = tf.tensor2d(
    Float32Array.from({ length: d * vocabulary }, (_, i) =>
      Math.sin(1 + (i % vocabulary) * (Math.floor(i / vocabulary) + 1)),
    ),
    [d, vocabulary],
  );
  return {
    calls: 0,
    name: 'toy',
    folder,
    config: {
      family: 'gpt2', gated: false, vocabularySize: vocabulary, contextLength: toy.contextLength, d, layers: 1, heads: 1,
      keyValueHeads: 1, headWidth: d, neurons: 2 * d, activation: 'relu', normEpsilon: 1e-5, tiedEmbeddings: false, eosIds: [0],
    }, // prettier-ignore
    tokenizer: {
      vocabularySize: vocabulary,
      eosId: 0,
      encode: (text) =>
        [...text.toLowerCase()].filter((c) => /[a-z]/.test(c)).map((c) => c.charCodeAt(0) - 96),
      decode: (ids) => Array.from(ids, (id) => (id === 0 ? '|' : String.fromCharCode(id + 96))).join(''),
      tokenText: (id) => (id === 0 ? '|' : String.fromCharCode(id + 96)),
    },
    hookPoints,
    width: (hook) => (hook === 'blocks.0.mlp.hook_post' ? 2 * d : d),
    forward(tokens, { read = [], replace = {}, readOnly = false } = {}) {
      this.calls++;
      const [batch, seq] = tokens.shape;
      const activations = new Map<HookPoint, Tensor>();
      const at = (hook: HookPoint, value: Tensor): Tensor => {
        const replaced = replace[hook]?.(value) ?? value;
        if (read.includes(hook)) activations.set(hook, tf.keep(replaced.clone()));
        return replaced;
      };
      const logits = tf.tidy(() => {
        const columns = tf.range(0, d).reshape([1, 1, d]);
        const embedding = at(
          'hook_embed',
          tokens.cast('float32').reshape([batch, seq, 1]).add(columns).div(4),
        );
        const positions = tf.range(0, seq).reshape([1, seq, 1]).div(8);
        const sum = embedding.add(positions);
        at('blocks.0.mlp.hook_post', tf.concat([sum, sum.neg()], 2));
        const residual = at('blocks.0.hook_resid_post', sum);
        return residual.reshape([-1, d]).matMul(unembedding).reshape<Tensor3D>([batch, seq, vocabulary]);
      });
      if (!readOnly) return { logits, activations, entropySums: [] };
      logits.dispose();
      return { activations, entropySums: [] };
    },
    foldedUnembedding: () => unembedding.clone(),
    activate: (_, pre) => tf.relu(pre),
    neuronOutputs: () => {
      throw new Error('the toy has no neurons to ask for');
    },
    parameterCount: () => d * vocabulary,
    dispose: () => unembedding.dispose(),
  };
}
