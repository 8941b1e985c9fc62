/**
 * Layer-sequential unit-variance initialisation (Mishkin & Matas, 1511.06422): every matrix of a block starts orthonormal; then,
 * block after block in forward order, the matrices that produce the output of attention, the pre-activations and the output of the
 * MLP are scaled such that each of these has variance 1 on a batch of text.
 */
import { Random } from '../numerics/random.ts';
import { hostValues } from '../tensor/hostValues.ts';
import { tf, type Tensor2D, type Variable } from '../tensor/tf.ts';
import { runDecoder } from '../models/decoder.ts';
import { blockHook, type HookPoint } from '../models/hookPoints.ts';
import { HookTap } from '../models/hookTap.ts';
import type { ModelConfig } from '../models/modelConfig.ts';

/** The scaled matrices of a block in forward order, by the ends of their names, each with the hook point that shows its product. */
const watched = [
  { matrix: /attn\.(c_proj|o_proj)\.weight$/, hook: 'hook_attn_out' },
  { matrix: /mlp\.(c_fc|gate_proj)\.weight$/, hook: 'mlp.hook_pre' },
  { matrix: /mlp\.(c_proj|down_proj)\.weight$/, hook: 'hook_mlp_out' },
] as const;
const tolerance = 0.05;
const attempts = 10;

/** Overwrites the matrices of all blocks; embeddings, gains and biases stay. `tokens` int32 [batch, seq] are the batch of text. */
export function initialiseLsuv(
  config: ModelConfig,
  weights: ReadonlyMap<string, Variable>,
  tokens: Tensor2D,
  seed: number,
): void {
  for (const [name, weight] of weights) {
    const block = /\.(h|layers)\.\d+\./.test(name);
    if (!block || weight.shape.length !== 2) continue;
    const [rows, columns] = weight.shape;
    const [inputs, outputs] = config.family === 'gpt2' ? [rows, columns] : [columns, rows];
    // With this scale, inputs of variance 1 give products of variance 1 even where there are more outputs than inputs.
    const scale = Math.sqrt(Math.max(1, outputs / inputs));
    const values = orthonormal([rows, columns], Random.fromSeed(seed, `orthonormal ${name}`));
    tf.tidy(() => weight.assign(tf.tensor2d(values, [rows, columns]).mul(scale)));
  }
  for (let layer = 0; layer < config.layers; layer++)
    for (const { matrix, hook } of watched) {
      const name = [...weights.keys()].find((key) => matrix.test(key) && key.includes(`.${layer}.`));
      if (name !== undefined)
        scaleToUnitVariance(config, weights, tokens, { name, hook: blockHook(layer, hook) });
    }
}

function scaleToUnitVariance(
  config: ModelConfig,
  weights: ReadonlyMap<string, Variable>,
  tokens: Tensor2D,
  { name, hook }: { name: string; hook: HookPoint },
): void {
  const weight = weights.get(name)!;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const tap = new HookTap({ read: [hook], readOnly: true });
    runDecoder({ config, weights, tap }, tokens);
    const [variance] = hostValues(() => tf.moments(tap.activations.get(hook)!).variance);
    tap.dispose();
    if (Math.abs(variance - 1) < tolerance || !(variance > 0)) return;
    tf.tidy(() => weight.assign(weight.div(Math.sqrt(variance))));
  }
}

/** A matrix [rows, columns] whose rows or columns, whichever are fewer, are orthonormal, by Gram–Schmidt on Gaussian vectors. */
export function orthonormal([rows, columns]: readonly [number, number], random: Random): Float32Array {
  const count = Math.min(rows, columns);
  const length = Math.max(rows, columns);
  const vectors: Float64Array[] = [];
  while (vectors.length < count) {
    const v = Float64Array.from({ length }, () => random.normal());
    for (const u of vectors) {
      let dot = 0;
      for (let k = 0; k < length; k++) dot += u[k] * v[k];
      for (let k = 0; k < length; k++) v[k] -= dot * u[k];
    }
    const norm = Math.hypot(...v);
    vectors.push(v.map((x) => x / norm));
  }
  const out = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) out[i * columns + j] = rows <= columns ? vectors[i][j] : vectors[j][i];
  return out;
}
