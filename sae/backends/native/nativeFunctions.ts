/**
 * The types of the functions that source/lazyscope.h declares. Generated: change that file, then run
 * `npx tsx scripts/writeNativeTypes.ts`. A test compares the two.
 */
import type { Values, Writable } from './pointers.ts';

export interface Gemm {
  a: Float32Array;
  b: Float32Array;
  c: Writable<Float32Array>;
  bias: Float32Array | null;
  batch: number;
  aStride: number;
  bStride: number;
  m: number;
  n: number;
  k: number;
  transposeA: number;
  transposeB: number;
  alpha: number;
  beta: number;
  relu: number;
}

export interface StoredProduct {
  format: number;
  a: Float32Array;
  b: Uint8Array;
  c: Writable<Float32Array>;
  bias: Float32Array | null;
  m: number;
  n: number;
  k: number;
  relu: number;
}

export interface Attention {
  q: Float32Array;
  k: Float32Array;
  v: Float32Array;
  batch: number;
  heads: number;
  kvHeads: number;
  seq: number;
  keys: number;
  head: number;
  scale: number;
}

export interface AdamW {
  rate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  decay: number;
  correction1: number;
  correction2: number;
  gradientScale: number;
}

export interface Firing {
  a: Float32Array;
  gates: Float32Array;
  bar: Float32Array;
  rows: number;
  neurons: number;
  thresholds: Float32Array;
  levels: number;
  neuronLevel: number;
  fired: Writable<Int32Array>;
  firedAt: Writable<Int32Array>;
  sum: Writable<Float32Array>;
  levelCounts: Writable<Int32Array>;
  rowFired: Writable<Int32Array>;
  over: Writable<Int32Array>;
  overCounts: Writable<Int32Array>;
}

export interface Masking {
  a: Float32Array;
  key: Float32Array | null;
  bars: Float32Array | null;
  rows: number;
  neurons: number;
  rule: number;
  k: number;
  quantile: number;
  out: Writable<Float32Array>;
  counts: Writable<Int32Array>;
}

export interface Encoder {
  x: Float32Array;
  centre: Float32Array | null;
  w: Float32Array;
  b: Float32Array;
  rows: number;
  d: number;
  latents: number;
}

export interface Reconstruction {
  values: Float32Array;
  threshold: Float32Array | null;
  w: Float32Array;
  bias: Float32Array | null;
  target: Float32Array;
  rows: number;
  d: number;
  latents: number;
  error: Writable<Float32Array>;
  dots: Writable<Float32Array>;
}

export interface Dictionary {
  wEnc: Writable<Float32Array>;
  bEnc: Writable<Float32Array>;
  wDec: Writable<Float32Array>;
  bDec: Writable<Float32Array>;
  logThreshold: Writable<Float32Array> | null;
  rMag: Writable<Float32Array> | null;
  bMag: Writable<Float32Array> | null;
}

export interface Gate {
  values: Float32Array;
  dots: Float32Array;
  gain: Float32Array;
  scale: number;
  l1: number;
}

export interface Update {
  latents: number;
  d: number;
  outputs: number;
  rows: number;
  writeGradient: number;
  scale: number;
  auxScale: number;
  l1: number;
  bandwidth: number;
  l0Gradient: number;
  rate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  root: number;
  clip: number;
  subtractsDecoderBias: number;
  unitNorm: number;
  parameters: Dictionary;
  first: Dictionary;
  second: Dictionary | null;
  x: Float32Array;
  threshold: Float32Array | null;
  gate: Gate | null;
  prefixes: Int32Array | null;
  prefixCount: number;
  blocks: Int32Array | null;
  blockCount: number;
}

export interface Term {
  rowStart: Int32Array;
  indices: Int32Array;
  values: Float32Array;
  dots: Float32Array;
  error: Float32Array;
}

export interface Candidates {
  rowStart: Int32Array;
  indices: Int32Array;
  all: Float32Array;
  rows: number;
  each: number;
  ranks: number;
  rank: number;
  k: number;
}

export interface PairList {
  length: number;
  index: Writable<Int32Array>;
  score: Writable<Float32Array>;
  bar: Writable<Float32Array>;
}

export interface TopPairs {
  a: Float32Array;
  first: number;
  rows: number;
  b: Float32Array;
  columns: number;
  d: number;
  rowOffset: Float32Array;
  columnOffset: Float32Array;
  best: Writable<Float32Array>;
  byRow: PairList;
  byColumn: PairList;
  screening: number;
}

export interface NativeFunctions {
  setThreads(count: number): void;
  threads(): number;
  vectorWidth(): number;
  canScreen(): number;
  gemm(gemm: Gemm): void;
  storedProduct(product: StoredProduct): void;
  storedGather(
    format: number,
    x: Uint8Array,
    index: Int32Array,
    out: Writable<Float32Array>,
    rows: number,
    count: number,
    width: number,
  ): number;
  widen(format: number, x: Uint8Array, rows: number, width: number, out: Writable<Float32Array>): void;
  unary(op: number, x: Float32Array, y: Writable<Float32Array>, count: number, parameter: number): void;
  binary(
    op: number,
    type: number,
    a: Values,
    b: Values,
    out: Writable<Values>,
    rank: number,
    shape: Int32Array,
  ): void;
  accumulate(a: Float32Array, out: Writable<Float32Array>, count: number): void;
  select(condition: Uint8Array, yes: Values, no: Values, out: Writable<Values>, count: number): void;
  cast(from: number, to: number, x: Values, y: Writable<Values>, count: number): void;
  activation(activation: number, x: Float32Array, y: Writable<Float32Array>, count: number): void;
  activationGrad(
    activation: number,
    x: Float32Array,
    dy: Float32Array,
    dx: Writable<Float32Array>,
    count: number,
  ): void;
  copy(
    bytes: number,
    from: Values,
    fromOffset: number,
    to: Writable<Values>,
    toOffset: number,
    rank: number,
    shape: Int32Array,
  ): void;
  fill(to: Writable<Values>, count: number, value: number): void;
  gather(
    x: Values,
    index: Int32Array,
    out: Writable<Values>,
    outer: number,
    n: number,
    count: number,
    inner: number,
  ): number;
  reduce(
    op: number,
    x: Float32Array,
    out: Writable<Float32Array>,
    outer: number,
    n: number,
    inner: number,
  ): void;
  reduceInt(
    op: number,
    x: Int32Array,
    out: Writable<Int32Array>,
    outer: number,
    n: number,
    inner: number,
  ): void;
  softmax(x: Float32Array, y: Writable<Float32Array>, rows: number, n: number): void;
  argExtreme(
    x: Float32Array,
    out: Writable<Int32Array>,
    outer: number,
    n: number,
    inner: number,
    smallest: number,
  ): void;
  cumsum(
    x: Float32Array,
    y: Writable<Float32Array>,
    outer: number,
    n: number,
    inner: number,
    exclusive: number,
    reverse: number,
  ): void;
  segmentSum(
    x: Float32Array,
    segment: Int32Array,
    out: Writable<Float32Array>,
    rows: number,
    segments: number,
    inner: number,
  ): void;
  rmsNorm(
    x: Float32Array,
    gain: Float32Array,
    y: Writable<Float32Array>,
    rows: number,
    d: number,
    epsilon: number,
  ): void;
  rmsNormGrad(
    x: Float32Array,
    gain: Float32Array,
    dy: Float32Array,
    dx: Writable<Float32Array>,
    dgain: Writable<Float32Array>,
    rows: number,
    d: number,
    epsilon: number,
  ): void;
  layerNorm(
    x: Float32Array,
    gain: Float32Array,
    bias: Float32Array,
    y: Writable<Float32Array>,
    rows: number,
    d: number,
    epsilon: number,
  ): void;
  layerNormGrad(
    x: Float32Array,
    gain: Float32Array,
    dy: Float32Array,
    dx: Writable<Float32Array>,
    sums: Writable<Float32Array>,
    rows: number,
    d: number,
    epsilon: number,
  ): void;
  crossEntropy(
    logits: Float32Array,
    labels: Int32Array,
    loss: Writable<Float32Array>,
    rows: number,
    n: number,
  ): number;
  crossEntropyGrad(
    logits: Float32Array,
    labels: Int32Array,
    dy: Float32Array,
    dlogits: Writable<Float32Array>,
    rows: number,
    n: number,
  ): void;
  attention(attention: Attention, y: Writable<Float32Array>, entropies: Writable<Float32Array> | null): void;
  attentionGrad(
    attention: Attention,
    y: Float32Array,
    dy: Float32Array,
    dq: Writable<Float32Array>,
    dk: Writable<Float32Array>,
    dv: Writable<Float32Array>,
  ): void;
  rotary(
    x: Float32Array,
    cosine: Float32Array,
    sine: Float32Array,
    y: Writable<Float32Array>,
    rows: number,
    seq: number,
    head: number,
    inverse: number,
  ): void;
  adamw(
    p: Writable<Float32Array>,
    gradient: Float32Array,
    m: Writable<Float32Array>,
    v: Writable<Float32Array>,
    count: number,
    settings: AdamW,
  ): void;
  sumOfSquares(x: Float32Array, count: number): number;
  firingChunk(): number;
  firing(counts: Firing): void;
  signal(x: Float32Array, rows: number, d: number, sums: Writable<Float32Array>): void;
  truncation(
    a: Float32Array,
    w: Float32Array,
    order: Int32Array,
    tokens: number,
    neurons: number,
    d: number,
    lost: Writable<Float32Array>,
  ): void;
  mask(masking: Masking): void;
  topkEncode(
    encoder: Encoder,
    among: Int32Array | null,
    amongCount: number,
    k: number,
    screening: number,
    indices: Writable<Int32Array>,
    values: Writable<Float32Array>,
  ): void;
  topkScreen(
    encoder: Encoder,
    among: Int32Array | null,
    amongCount: number,
    k: number,
    part: number,
    screening: number,
    bars: Writable<Float32Array>,
  ): number;
  topkSettle(
    among: Int32Array | null,
    bars: Float32Array,
    indices: Writable<Int32Array>,
    values: Writable<Float32Array>,
  ): void;
  thresholdEncode(
    encoder: Encoder,
    threshold: Float32Array | null,
    bandwidth: number,
    limit: number,
    expected: number,
    screening: number,
  ): number;
  thresholdTake(
    rows: number,
    rowStart: Writable<Int32Array>,
    indices: Writable<Int32Array>,
    values: Writable<Float32Array>,
  ): void;
  largestTake(
    rows: number,
    count: number,
    rowStart: Writable<Int32Array>,
    indices: Writable<Int32Array>,
    values: Writable<Float32Array>,
  ): number;
  thresholdCount(encoder: Encoder, threshold: Float32Array | null, bandwidth: number): number;
  denseEncode(encoder: Encoder, z: Writable<Float32Array>): void;
  sparseDecode(
    rowStart: Int32Array,
    indices: Int32Array,
    values: Float32Array,
    w: Float32Array,
    rows: number,
    d: number,
    out: Writable<Float32Array>,
  ): void;
  sparseDots(
    rowStart: Int32Array,
    indices: Int32Array,
    g: Float32Array,
    w: Float32Array,
    rows: number,
    d: number,
    latents: number,
    out: Writable<Float32Array>,
  ): void;
  sparseOuter(
    rowStart: Int32Array,
    indices: Int32Array,
    values: Float32Array,
    g: Float32Array,
    rows: number,
    d: number,
    latents: number,
    out: Writable<Float32Array>,
  ): void;
  sparseFirings(
    indices: Int32Array,
    values: Float32Array,
    threshold: Float32Array | null,
    entries: number,
    latents: number,
    counts: Writable<Int32Array>,
    sums: Writable<Float32Array>,
  ): void;
  denseFirings(
    z: Float32Array,
    threshold: Float32Array | null,
    rows: number,
    latents: number,
    counts: Writable<Int32Array>,
    sums: Writable<Float32Array>,
  ): void;
  scaledBatch(x: Writable<Float32Array>, rows: number, d: number, scale: number): number;
  sparseReconstruct(rowStart: Int32Array, indices: Int32Array, reconstruction: Reconstruction): number;
  denseReconstruct(reconstruction: Reconstruction): number;
  nestedReconstruct(
    rowStart: Int32Array,
    indices: Int32Array,
    prefixes: Int32Array,
    prefixCount: number,
    reconstruction: Reconstruction,
  ): number;
  sparseUpdate(update: Update, main: Term, auxiliary: Term | null): void;
  denseUpdate(
    update: Update,
    z: Writable<Float32Array>,
    dots: Writable<Float32Array>,
    error: Float32Array,
  ): void;
  ownOfLargest(
    candidates: Candidates,
    rowStart: Writable<Int32Array>,
    indices: Writable<Int32Array>,
    values: Writable<Float32Array>,
  ): number;
  topPairs(pairs: TopPairs): number;
}
