/**
 * Loadings of a latent on neurons: cosines of its decoder row with what each neuron writes, its row of W_down, in every layer
 * before the hook point. At mlp.hook_post the decoder row has one entry for each neuron, and a loading is the entry over the row's norm.
 */
import { parseHookPoint, type HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import { takeBlock, type Block, type BlockFolder } from '../store/blocks.ts';
import type { TableData } from '../store/parquet.ts';
import type { loadingTable } from '../spec/tables/loadings.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';
import { latentBlocks } from './latentBlocks.ts';
import { Largest } from './largest.ts';

const blockNumbers = 1 << 23;

export interface NeuronLoadingOptions {
  wDec: Float32Array;
  latents: number;
  hook: HookPoint;
  model: LanguageModel | null;
  /** How many neurons are kept for each latent, by largest |cosine|. */
  count: number;
  report?: Report;
  signal?: AbortSignal | undefined;
}

/** The nearest neurons of some latents, [latents of the block × neurons a latent], flat. */
type Loadings = { layer: Int32Array; neuron: Int32Array; cosine: Float32Array };

/** The loadings in blocks of latents: none where no MLP lies before the hook point. `dispose` frees what they share. */
export function neuronLoadingBlocks(options: NeuronLoadingOptions): {
  blocks: Block<Loadings>[];
  perLatent: number;
  dispose(): void;
} {
  const { wDec, latents, hook, model, count, report = silent, signal } = options;
  const d = wDec.length / latents;
  const none = { blocks: [], perLatent: 0, dispose() {} };
  if (!model) return none;
  const layers = writingLayers(hook, model.config.layers);
  const { neurons } = model.config;
  const writers = unitWriters(model, hook, layers);
  if (!writers) return none;
  const all = layers.length * neurons;
  const perLatent = Math.min(count, all);
  const atOnce = Math.max(1, Math.floor(blockNumbers / all));
  const make = async (first: number, end: number): Promise<Loadings> => {
    const largest = new Largest(perLatent);
    const length = (end - first) * perLatent;
    const found = {
      layer: new Int32Array(length),
      neuron: new Int32Array(length),
      cosine: new Float32Array(length),
    };
    for (let from = first; from < end; from += atOnce) {
      const to = Math.min(from + atOnce, end);
      const cosines = tf.tidy(() => {
        const rows = unit(tf.tensor2d(wDec.subarray(from * d, to * d), [to - from, d]));
        return tf.matMul(rows, writers, false, true);
      });
      const values = cosines.dataSync<'float32'>();
      const sizes = values.map(Math.abs);
      for (let row = 0; row < to - from; row++) {
        largest.scan(sizes, row * all, all);
        largest.places.forEach((place, rank) => {
          const at = (from - first + row) * perLatent + rank;
          found.layer[at] = layers[Math.floor(place / neurons)];
          found.neuron[at] = place % neurons;
          found.cosine[at] = values[row * all + place];
        });
      }
      cosines.dispose();
      report({ stage: 'index: neurons', done: to, total: latents, unit: 'latents' });
      await pause(signal, 'indexing');
    }
    return found;
  };
  return {
    blocks: latentBlocks(latents, atOnce, 'loadings', make),
    perLatent,
    dispose: () => writers.dispose(),
  };
}

/** A table with one row for each latent and rank; empty where no MLP lies before the hook point, and where the model isn't known (null). */
export async function neuronLoadings(
  options: NeuronLoadingOptions & { folder?: BlockFolder | undefined },
): Promise<TableData<typeof loadingTable>> {
  const columns = { latent: [], rank: [], layer: [], neuron: [], cosine: [] } as Record<
    keyof typeof loadingTable,
    number[]
  >;
  const { blocks, perLatent, dispose } = neuronLoadingBlocks(options);
  try {
    let latent = 0;
    for (const block of blocks) {
      const { layer, neuron, cosine } = await takeBlock(options.folder, block);
      for (let at = 0; at < layer.length; at++) {
        columns.latent.push(latent);
        columns.rank.push(at % perLatent);
        columns.layer.push(layer[at]);
        columns.neuron.push(neuron[at]);
        columns.cosine.push(cosine[at]);
        if ((at + 1) % perLatent === 0) latent++;
      }
    }
    return columns;
  } finally {
    dispose();
  }
}

/** The layers whose MLPs have written into the residual stream before the hook point. */
function writingLayers(hook: HookPoint, layers: number): number[] {
  const { layer = layers, hook: place } = parseHookPoint(hook, layers);
  const upTo = (end: number) => Array.from({ length: end }, (_, i) => i);
  switch (place) {
    case 'hook_resid_pre':
    case 'hook_resid_mid':
      return upTo(layer);
    case 'hook_resid_post':
      return upTo(layer + 1);
    case 'hook_mlp_out':
    case 'mlp.hook_post':
      return [layer];
    case 'ln_final.hook_normalized':
      return upTo(layers);
    default:
      return [];
  }
}

/** Rows of W_down scaled to unit norm, layer after layer, [layers × neurons, d]; the unit vectors of the axes at mlp.hook_post. */
function unitWriters(model: LanguageModel, hook: HookPoint, layers: readonly number[]): Tensor2D | undefined {
  if (layers.length === 0) return undefined;
  if (parseHookPoint(hook).hook === 'mlp.hook_post') return tf.eye(model.config.neurons);
  return tf.tidy(() =>
    tf.concat2d(
      layers.map((layer) => unit(model.neuronOutputs(layer))),
      0,
    ),
  );
}

/** Scales rows to unit norm. A row of zeros stays zero, so that its cosine with every row is 0. */
function unit(rows: Tensor2D): Tensor2D {
  return tf.tidy(() => rows.div<Tensor2D>(tf.maximum(tf.norm(rows, 'euclidean', 1, true), 1e-30)));
}
