/**
 * Activations of several hook points of one capture side by side, x = [s₁x¹; …; s_Lx^L], as if they were those of one more hook point: what a
 * crosscoder reads and reconstructs (METHODS.md §1). What reads a capture reads them by their joint name.
 */
import { LazyscopeError } from '../errors.ts';
import { hooksOf } from '../spec/hooksOf.ts';
import { hooksIn, isJoint, type JointHook } from '../spec/jointHook.ts';
import type { Layer } from '../spec/layers.ts';
import type { RunManifest } from '../spec/manifests/run.ts';
import type { StoreLayout } from '../store/layout.ts';
import { placeColumns } from '../ops/placeColumns.ts';
import { type Capture, openCapture } from './openCapture.ts';
import type { SelectedRows } from './selectRows.ts';
import { ShuffledBatches } from './shuffledBatches.ts';

type Reader = Pick<Capture, 'manifest' | 'width' | 'readRows' | 'gatherRows' | 'streaming' | 'storedRows'>;

/** A capture that also has the joint hook point. It is closed with the capture. */
export function jointCapture(capture: Capture, hook: JointHook, layers: readonly Layer[]): Capture {
  const { tokens, rowsPerContext, trainRows, heldOutRows } = capture;
  return {
    tokens,
    rowsPerContext,
    trainRows,
    heldOutRows,
    rowToken: (row) => capture.rowToken(row),
    close: () => capture.close(),
    ...withJoint(capture, hook, layers),
  };
}

/** The same of the rows selected from a capture. */
export function jointRows(rows: SelectedRows, hook: JointHook, layers: readonly Layer[]): SelectedRows {
  return { ...rows, ...withJoint(rows, hook, layers) };
}

/** What the dictionaries of a run read: the rows, with the joint hook point where they are crosscoders. */
export function rowsOfRun(
  rows: SelectedRows,
  { config: { hook }, layers }: Pick<RunManifest, 'config' | 'layers'>,
): SelectedRows {
  return isJoint(hook) && layers ? jointRows(rows, hook, layers) : rows;
}

function withJoint(reader: Reader, hook: JointHook, layers: readonly Layer[]): Reader {
  const width = layers.reduce((sum, layer) => sum + layer.width, 0);
  const stream = reader.streaming;
  const { storedRows } = reader;
  function fill(out: Float32Array, count: number, block: (hook: string) => Float32Array): void {
    let column = 0;
    for (const layer of layers) {
      const { width: d, scale } = layer;
      placeColumns(block(layer.hook), { d, scale }, out, { rows: count, column, width });
      column += d;
    }
  }
  return {
    manifest: {
      ...reader.manifest,
      hooks: [...reader.manifest.hooks, { hook, width, shards: [] }],
    },
    width: (name) => (name === hook ? width : reader.width(name)),
    readRows(name, start, count) {
      if (name !== hook) return reader.readRows(name, start, count);
      const out = new Float32Array(count * width);
      fill(out, count, (own) => reader.readRows(own, start, count));
      return out;
    },
    gatherRows(name, rows, out) {
      if (name !== hook) return reader.gatherRows(name, rows, out);
      fill(out, rows.length, (own) => {
        const block = new Float32Array(rows.length * reader.width(own));
        reader.gatherRows(own, rows, block);
        return block;
      });
    },
    ...(storedRows && {
      storedRows: (name: string) =>
        name === hook
          ? layers.flatMap(({ hook: own, scale }) => storedRows(own).map((rows) => ({ ...rows, scale })))
          : storedRows(name),
    }),
    ...(stream && {
      streaming: {
        // Each hook point's rows are collected apart before they are put side by side.
        memory: stream.memory / 2,
        async ready(name, ...rows) {
          for (const own of name === hook ? layers.map((layer) => layer.hook) : [name])
            await stream.ready(own, ...rows);
        },
        async collect(name, rows, out, stop) {
          if (name !== hook) return stream.collect(name, rows, out, stop);
          const blocks = new Map<string, Float32Array>();
          for (const { hook: own } of layers) {
            const block = new Float32Array(rows.length * reader.width(own));
            await stream.collect(own, rows, block, stop);
            blocks.set(own, block);
          }
          fill(out, rows.length, (own) => blocks.get(own) ?? new Float32Array(0));
        },
      },
    }),
  };
}

/** Rows that the scales are estimated on, at most. */
const normRows = 16_384;

/**
 * The layers of a crosscoder, each with the scale that brings its activations to norm √width on average, estimated on training rows in the order of
 * `seed`. Throws `not_found` for a hook point that was not captured, and `bad_input` where one's activations are all zero or not finite.
 */
export async function layersOf(rows: SelectedRows, hook: JointHook, seed: number): Promise<Layer[]> {
  const layers: Layer[] = [];
  for (const own of hooksIn(hook)) {
    const width = rows.width(own);
    const batchSize = Math.min(normRows, rows.trainRows);
    const batches = new ShuffledBatches(rows, own, { seed, batchSize });
    await batches.ready?.(batchSize);
    const x = batches.next();
    await batches.close();
    let norms = 0;
    for (let at = 0; at < x.length;) {
      let square = 0;
      for (const end = at + width; at < end; at++) square += x[at] * x[at];
      norms += Math.sqrt(square);
    }
    const scale = (Math.sqrt(width) * batchSize) / norms;
    if (!(scale > 0) || !Number.isFinite(scale))
      throw new LazyscopeError(
        'bad_input',
        `The activations at '${own}' can't be trained on: their mean norm is ${norms / batchSize}; leave the hook point out, or capture it again.`,
      );
    layers.push({ hook: own, width, scale });
  }
  return layers;
}

/** The width of a hook point of a capture, or of several together. Throws `not_found` for one that was not captured. */
export function widthOf(capture: Pick<Capture, 'width'>, hook: string): number {
  return hooksIn(hook).reduce((sum, own) => sum + capture.width(own), 0);
}

/** Opens the capture that a run was trained on, with the joint hook point where it has crosscoders. Throws as `openCapture` does. */
export async function openCaptureOf(
  store: StoreLayout,
  { name, config, layers }: Pick<RunManifest, 'name' | 'config' | 'layers'>,
  options: Omit<NonNullable<Parameters<typeof openCapture>[2]>, 'hooks'> = {},
): Promise<Capture> {
  const capture = await openCapture(store, config.capture, { ...options, hooks: hooksOf(config) });
  if (!isJoint(config.hook)) return capture;
  if (layers) return jointCapture(capture, config.hook, layers);
  capture.close();
  throw new LazyscopeError(
    'corrupt',
    `Run '${name}' reads several hook points and doesn't say how large their activations are: train it again.`,
  );
}
