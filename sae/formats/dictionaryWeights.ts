/**
 * A trained dictionary as it travels between tools: the product's own layout and convention, whatever the other
 * tool's were.
 *
 * Layout: W_enc and W_dec are [latents, d], row i is latent i. Convention: whether the encoder reads
 * x − b_dec or x is what the architecture's description says; a tool that does otherwise differs by W_enc·b_dec in b_enc, which is folded in here, so that
 * activations and reconstructions stay the same.
 */
import { LazyscopeError } from '../errors.ts';
import type { ForeignMatrix } from './namedTensors.ts';
import {
  type ArchitectureName,
  describedArchitecture,
  settingOfK,
} from '../spec/architectures/architectures.ts';
import type { InputNormalisation } from '../spec/inputNormalisations.ts';
import type { Pursuit } from '../spec/architectures/matchingpursuit.ts';

export interface TrainingText {
  dataset: string;
  contextLength: number;
  /** Whether every context begins with the token that begins texts. */
  separatorFirst: boolean;
  /** First position of a context that was trained on. */
  firstPosition: number;
}

/**
 * What a transcoder has besides: it predicts the activations of another hook point than it reads. An autoencoder with a skip connection is one
 * that predicts what it reads.
 */
export interface TranscoderWeights {
  /** Where the file says it, in the tool's own spelling; `hook` of an autoencoder with a skip connection. */
  outputHook: string | null;
  /** W_skip [outputs, d], which adds W_skip·x; null where there is none. */
  wSkip: Float32Array | null;
}

/** A dictionary without the product's own metadata: one row a latent in both matrices. */
export interface DictionaryWeights {
  architecture: ArchitectureName;
  latents: number;
  d: number;
  wEnc: Float32Array; // [latents, d]
  bEnc: Float32Array; // [latents]
  wDec: Float32Array; // [latents, d], of a transcoder [latents, outputs]
  bDec: Float32Array; // [d], of a transcoder [outputs]
  /** Absent for autoencoders. */
  transcoder?: TranscoderWeights | undefined;
  /** Of a crosscoder: how many columns belong to each of its hook points, whose activations stand side by side. Its encoder reads x, without b_dec. */
  crosscoder?: { readonly widths: readonly number[] } | undefined;
  /** θ [latents]; null where latents do not fire above a threshold. */
  threshold: Float32Array | null;
  /** How many latents fire a token, or did so on average in training; null where the architecture fixes no such number. */
  k: number | null;
  /** Numbers of latents that reconstruct on their own, ascending, the last of them all; of Matryoshka dictionaries only. */
  prefixes?: readonly number[] | undefined;
  /** When an activation is done; of matching pursuit only. */
  pursuit?: Pursuit | undefined;
  /** How each activation is normalised before it is encoded, and its reconstruction brought back. */
  normalisation?: InputNormalisation | undefined;
  /** Where the file says it was trained, when it does; the hook in the tool's own spelling. */
  hook: string | null;
  model: string | null;
  /** The text that it was trained on, when that is known; only SAELens has a place for it. */
  text?: TrainingText | undefined;
}

/** A dictionary that was read from another tool's file. */
export interface ImportedDictionary extends DictionaryWeights {
  /** The tool's name for what the file holds, for example its class. */
  kind: string;
  /** What was folded into the weights so that they compute the same here: sentences for people. */
  folded: string[];
}

export interface ForeignDictionary {
  /** The file, for errors. */
  source: string;
  architecture: ArchitectureName;
  wEnc: ForeignMatrix;
  wDec: ForeignMatrix;
  bEnc: ForeignMatrix;
  bDec: ForeignMatrix;
  /** How the tool documents each matrix; asked only when latents = d and the shape can't tell. */
  layout: { wEnc: 'latents × d' | 'd × latents'; wDec: 'latents × d' | 'd × latents' };
  /** Whether the tool's encoder reads x − b_dec. */
  subtractsDecoderBias: boolean;
  threshold?: ForeignMatrix;
  k?: number;
  prefixes?: readonly number[];
  pursuit?: Pursuit;
  /** Of a transcoder; W_skip as [outputs, d]. */
  transcoder?: { outputHook: string | null; wSkip: ForeignMatrix | null } | undefined;
  hook?: string | null;
  model?: string | null;
  /** See `ImportedDictionary`. */
  kind: string;
  folded?: readonly string[];
  /** Which of the matrices are the other way round than `layout` says; only square ones can be. */
  transposed?: Transposed | undefined;
}

/** Which matrices a file has the other way round than its format documents. */
export type Transposed = 'encoder' | 'decoder' | 'both' | 'none';

/** Turns and checks another tool's tensors by their shapes. Throws `corrupt` naming the tensor that does not fit. */
export function fromForeign(foreign: ForeignDictionary): ImportedDictionary {
  const { source, architecture, layout } = foreign;
  const { inference, subtractsDecoderBias } = describedArchitecture(architecture);
  const refuse = (why: string) => new LazyscopeError('corrupt', `'${source}' is not a dictionary: ${why}.`);
  const latents = foreign.bEnc.data.length;
  const outputs = foreign.bDec.data.length;
  const d = foreign.transcoder ? widthOf(foreign.wEnc, latents) : outputs;
  const { transposed = 'none' } = foreign;
  if (transposed !== 'none' && latents !== d && latents !== outputs)
    throw new LazyscopeError(
      'bad_input',
      `'${source}' has matrices of ${latents} × ${d}, whose shape tells which way round they are: leave the transposition out.`,
    );
  const otherWay = {
    wEnc: transposed === 'encoder' || transposed === 'both',
    wDec: transposed === 'decoder' || transposed === 'both',
  };
  const turn = (name: 'wEnc' | 'wDec') => {
    const { shape, data } = foreign[name];
    const found = shape.join(' × ');
    const width = name === 'wEnc' ? d : outputs;
    const [straight, turned] = [`${latents} × ${width}`, `${width} × ${latents}`];
    if (found !== straight && found !== turned)
      throw refuse(`${name} is ${found} where the biases ask for ${straight} or ${turned}`);
    const documented = layout[name] === 'd × latents';
    const isTurned = latents === width ? documented !== otherWay[name] : found === turned;
    return isTurned ? transpose(data, width, latents) : data;
  };
  const wEnc = turn('wEnc');
  const threshold = inference.fires === 'above threshold' ? thresholdOf(foreign, latents, refuse) : null;
  const { k = null } = foreign;
  const hasK = settingOfK(architecture) !== null;
  if (hasK && (k === null || !Number.isInteger(k) || k < 1 || k > latents))
    throw refuse(`k is ${k} with ${latents} latents`);
  if (inference.fires === 'largest of its group' && k !== null && latents % k > 0)
    throw refuse(`${latents} latents can't be ${k} groups of one size`);
  const { prefixes } = foreign;
  if (prefixes && !prefixes.every((size, i) => size > (prefixes[i - 1] ?? 0)))
    throw refuse(`its prefixes of ${prefixes.join(', ')} latents do not ascend`);
  if (prefixes && prefixes.at(-1) !== latents)
    throw refuse(`its prefixes end at ${prefixes.at(-1)} with ${latents} latents`);
  const weights: DictionaryWeights = {
    architecture,
    latents,
    d,
    wEnc,
    bEnc: foreign.bEnc.data,
    wDec: turn('wDec'),
    bDec: foreign.bDec.data,
    ...(foreign.transcoder && { transcoder: transcoderOf(foreign.transcoder, [outputs, d], refuse) }),
    threshold,
    k: hasK ? k : null,
    ...(prefixes && { prefixes }),
    ...(foreign.pursuit && { pursuit: foreign.pursuit }),
    hook: foreign.hook ?? null,
    model: foreign.model ?? null,
  };
  const folded = [...(foreign.folded ?? [])];
  // The encoder of a transcoder here never reads b_dec.
  const subtracts = subtractsDecoderBias && !foreign.transcoder;
  if (foreign.subtractsDecoderBias !== subtracts)
    folded.push(
      foreign.subtractsDecoderBias
        ? 'Its encoder reads x − b_dec: −W_enc·b_dec was added to b_enc.'
        : 'Its encoder reads x: W_enc·b_dec was added to b_enc.',
    );
  return {
    ...weights,
    bEnc: encoderBias(weights, foreign.subtractsDecoderBias, subtracts),
    kind: foreign.kind,
    folded,
  };
}

/** The other side of a matrix than `latents`; of a square one either. */
function widthOf({ shape }: ForeignMatrix, latents: number): number {
  const [rows = 0, columns = 0] = shape;
  return rows === latents ? columns : rows;
}

function transcoderOf(
  { outputHook, wSkip }: NonNullable<ForeignDictionary['transcoder']>,
  expected: readonly [outputs: number, d: number],
  refuse: (why: string) => Error,
): TranscoderWeights {
  if (wSkip && wSkip.shape.join() !== expected.join())
    throw refuse(`W_skip is ${wSkip.shape.join(' × ')} where ${expected.join(' × ')} was expected`);
  return { outputHook, wSkip: wSkip?.data ?? null };
}

function thresholdOf({ threshold }: ForeignDictionary, latents: number, refuse: (why: string) => Error) {
  if (!threshold) throw refuse('it has no threshold');
  // One number may stand for all latents (BatchTopK).
  if (threshold.data.length === 1) return new Float32Array(latents).fill(threshold.data[0]);
  if (threshold.data.length !== latents)
    throw refuse(`it has ${threshold.data.length} thresholds for ${latents} latents`);
  return threshold.data;
}

/** b_enc for an encoder that does or does not read x − b_dec, from one that did or did not. */
export function encoderBias(
  { wEnc, bEnc, bDec, latents, d }: Pick<DictionaryWeights, 'wEnc' | 'bEnc' | 'bDec' | 'latents' | 'd'>,
  subtracted: boolean,
  subtracts: boolean,
): Float32Array {
  if (subtracted === subtracts) return bEnc;
  const sign = subtracts ? 1 : -1;
  return Float32Array.from({ length: latents }, (_, latent) => {
    let product = 0;
    for (let j = 0; j < d; j++) product += wEnc[latent * d + j] * bDec[j];
    return bEnc[latent] + sign * product;
  });
}

/** [rows, columns] → [columns, rows] */
export function transpose(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      out[column * rows + row] = matrix[row * columns + column];
  return out;
}
