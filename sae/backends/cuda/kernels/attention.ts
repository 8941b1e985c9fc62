import type { Tf } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { Launch } from '../programs.ts';
import { sizeOf, type Inputs } from '../../kernelInputs.ts';
import type { CudaKernels, KernelContext } from './kernelContext.ts';

/** Tiles are 16 times so many queries and keys; from wide ones, which use shared memory best, to narrow ones, which fit the widest heads. */
interface Tile {
  readonly ROWS: number;
  readonly COLUMNS: number;
}
const wide: readonly Tile[] = [
  { ROWS: 4, COLUMNS: 2 },
  { ROWS: 2, COLUMNS: 2 },
  { ROWS: 1, COLUMNS: 1 },
];
/** For calls of few queries, and for the gradients of wide heads, which have no registers for more. */
const narrow = wide.slice(1);
const threads = 256;

interface Shape {
  batch: number;
  heads: number;
  kvHeads: number;
  seq: number;
  keys: number;
  head: number;
}

/** Causal attention by tiles, forward and backward: see source/attention.cu. */
export function attentionKernels({ backend }: KernelContext): CudaKernels {
  const { programs } = backend;
  const { sharedPerBlock } = programs.architecture;
  const reduceRows = { file: 'reduction.cu', name: 'reduceRows' };

  const shapeOf = ({ q, k }: Inputs): Shape => {
    const [batch, heads, seq, head] = q.shape;
    return { batch, heads, kvHeads: k.shape[1], seq, keys: k.shape[2], head };
  };

  /** The first tile that fits shared memory: `tiles` of rows as wide as a head beside the queries' and as many beside the keys'. */
  function tileFor(choices: readonly Tile[], { head }: Shape, perSide: { queries: number; keys: number }) {
    const widths = Math.ceil(head / 16);
    const stride = 16 * widths + 4;
    for (const tile of choices) {
      const [queries, keys] = [16 * tile.ROWS, 16 * tile.COLUMNS];
      const pattern = Math.max(queries * (keys + 4), keys * (queries + 4));
      const sharedBytes = 4 * ((perSide.queries * queries + perSide.keys * keys) * stride + pattern);
      if (sharedBytes <= sharedPerBlock)
        return { queries, keys, sharedBytes, define: { WIDTHS: widths, ...tile } };
    }
    throw new Error(`Attention heads of width ${head} do not fit into the shared memory of this GPU.`);
  }

  const launchOf = (tiles: number, heads: number, sharedBytes: number): Launch => ({
    grid: [tiles, heads, 1],
    block: threads,
    sharedBytes,
  });

  function forward(
    inputs: Inputs,
    scale: number,
    results: { y: DeviceBuffer | null; logSums: DeviceBuffer | null; entropies: DeviceBuffer | null },
  ): void {
    const shape = shapeOf(inputs);
    const { batch, heads, kvHeads, seq, keys, head } = shape;
    const tile = tileFor(seq > 32 ? wide : narrow, shape, { queries: 1, keys: 1 });
    programs.run(
      { file: 'attention.cu', name: 'attention', define: tile.define },
      launchOf(Math.ceil(seq / tile.queries), batch * heads, tile.sharedBytes),
      [
        backend.buffer(inputs.q), backend.buffer(inputs.k), backend.buffer(inputs.v),
        results.y, results.logSums, results.entropies, heads, kvHeads, seq, keys, head, scale,
      ],
    ); // prettier-ignore
  }

  return {
    CausalAttention: (inputs, { scale }) => {
      const out = backend.output(inputs.q.shape, 'float32');
      forward(inputs, Number(scale), { y: out.buffer, logSums: null, entropies: null });
      return out.info;
    },

    CausalAttentionWithEntropy: (inputs, { scale }) => {
      const { batch, heads, seq } = shapeOf(inputs);
      const out = backend.output(inputs.q.shape, 'float32');
      const sums = backend.output([batch, heads], 'float32');
      const entropies = backend.scratch(4 * batch * heads * seq);
      forward(inputs, Number(scale), { y: out.buffer, logSums: null, entropies });
      programs.run(reduceRows, { grid: batch * heads, block: 128 }, [
        0,
        entropies,
        sums.buffer,
        seq,
        1,
        seq,
        1,
      ]);
      backend.give(entropies);
      return [out.info, sums.info];
    },

    CausalAttentionGrad: (inputs, { scale }) => {
      const { q, k, v, y, dy } = inputs;
      const shape = shapeOf(inputs);
      const { batch, heads, kvHeads, seq, keys, head } = shape;
      const [dq, dk, dv] = [q, k, v].map((t: Tf.TensorInfo) => backend.output(t.shape, 'float32'));
      const rows = sizeOf(q.shape.slice(0, 3));
      const logSums = backend.scratch(4 * rows);
      const deltas = backend.scratch(4 * rows);
      forward(inputs, Number(scale), { y: null, logSums, entropies: null });
      const choices = seq > 32 && head <= 128 ? wide : narrow;
      const tile = tileFor(choices, shape, { queries: 2, keys: 2 });
      const request = (name: string) => ({ file: 'attention.cu', name, define: tile.define });
      programs.run(request('attentionDeltas'), { grid: Math.ceil(rows / 8), block: threads }, [
        backend.buffer(y),
        backend.buffer(dy),
        deltas,
        rows,
        head,
      ]);
      const from = [q, k, v, dy].map((t) => backend.buffer(t));
      const sizes = [heads, kvHeads, seq, keys, head, Number(scale)];
      programs.run(
        request('attentionQueryGrad'),
        launchOf(Math.ceil(seq / tile.queries), batch * heads, tile.sharedBytes),
        [...from, logSums, deltas, dq.buffer, ...sizes],
      );
      programs.run(
        request('attentionKeyGrad'),
        launchOf(Math.ceil(keys / tile.keys), batch * kvHeads, tile.sharedBytes),
        [...from, logSums, deltas, dk.buffer, dv.buffer, ...sizes],
      );
      backend.give(logSums);
      backend.give(deltas);
      return [dq.info, dk.info, dv.info];
    },
  };
}
