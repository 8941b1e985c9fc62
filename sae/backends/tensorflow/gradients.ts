/**
 * Gradients of a sparse autoencoder's loss from lists of entries, by TensorFlow's own operations: the matrices [batch, latents] of the reference
 * (sae/ops/referenceUpdate.ts, which has the formulas) are sparse here, and products with them are made of their entries.
 */
import { hostNumber } from '../../ops/computed.ts';
import type { DictionaryTensors, GateTerm, GradientRequest, LossTerm } from '../../ops/fusedKernels.ts';
import { referenceGradients } from '../../ops/referenceUpdate.ts';
import type { SparseEntries } from '../../ops/sparseEntries.ts';
import { tf, type Scalar, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import { normalsOf, sizesOf } from './decoderRows.ts';
import { activationsOf, firingOf, rowsOf } from './lists.ts';
import type { Operations } from './operations.ts';

/** Entries with their rows, and a value each. */
interface Weighted {
  row: Tensor1D;
  latent: Tensor1D;
  values: Tensor1D;
}

export function tensorflowGradients(operations: Operations, request: GradientRequest): DictionaryTensors {
  const { entries } = request.main;
  if (entries.kind === 'dense') return referenceGradients(request);
  const gradients = tf.tidy(() =>
    request.gate
      ? gatedGradients(operations, request, entries, request.gate)
      : listGradients(operations, request, entries),
  );
  return { logThreshold: null, ...gradients };
}

function listGradients(operations: Operations, request: GradientRequest, entries: SparseEntries) {
  const { parameters, subtractsDecoderBias, main, auxiliary, l1, jump } = request;
  const { rows, latents, indices } = entries;
  const wDec = parameters.wDec as Tensor2D;
  const threshold = jump?.threshold ?? null;
  const row = rowsOf(operations, entries);
  const bySum = (values: Tensor1D) => operations.segmentSum<Tensor1D>(values, indices, latents);
  const on = firingOf(entries, threshold);
  const f = activationsOf(operations, entries, threshold);
  const zero = tf.scalar(0);

  let gradF = (main.dots as Tensor1D).mul<Tensor1D>(main.scale);
  const [, d] = main.error.shape;
  const errors = [main.error];
  const decoded: Weighted[] = [
    { row: row.add(blockOf(main, indices, rows)), latent: indices, values: f.mul<Tensor1D>(main.scale) },
  ];
  let byNorm: Tensor2D | null = null;
  if (l1 > 0) {
    const size = sizesOf(operations, wDec, request.blocks).squeeze<Tensor1D>([1]);
    gradF = gradF.add<Tensor1D>(tf.gather(size, indices).mul(l1));
    const pull = bySum(f).mul(l1).expandDims(1);
    byNorm = normalsOf(operations, wDec, request.blocks).mul<Tensor2D>(pull);
  }
  let logThreshold: Tensor1D | null = null;
  if (jump) {
    const theta = tf.gather(jump.threshold, indices);
    const inBand = tf.less(tf.abs(entries.values.sub(theta)), jump.bandwidth / 2);
    const each = gradF.mul(theta).add(jump.l0Gradient).div(-jump.bandwidth);
    logThreshold = bySum(operations.select(inBand, each, zero)).mul<Tensor1D>(jump.threshold);
  }
  const encoded: Weighted[] = [{ row, latent: indices, values: operations.select(on, gradF, zero) }];
  if (auxiliary) {
    const list = listOf(auxiliary);
    const own = rowsOf(operations, list);
    const dots = (auxiliary.dots as Tensor1D).mul(auxiliary.scale);
    const active = activationsOf(operations, list, null).mul<Tensor1D>(auxiliary.scale);
    decoded.push({
      row: own.add(tf.scalar(main.error.shape[0], 'int32')),
      latent: list.indices,
      values: active,
    });
    errors.push(auxiliary.error);
    encoded.push({
      row: own,
      latent: list.indices,
      values: operations.select(firingOf(list, null), dots, zero),
    });
  }
  const outer = (terms: readonly Weighted[], dense: Tensor2D) => {
    const { latent: column, ...rest } = together(terms);
    return operations.sparseProduct({ ...rest, rows: dense.shape[0], columns: latents, column }, dense, true);
  };
  const gradWDec = outer(decoded, errors.length === 1 ? errors[0] : tf.concat(errors));
  const all = together(encoded);
  const bEnc = operations.segmentSum<Tensor1D>(all.values, all.latent, latents);
  const sum = main.error.slice<Tensor2D>([0, 0], [rows, d]).sum<Tensor1D>(0).mul<Tensor1D>(main.scale);
  return {
    wEnc: outer(encoded, centred(request, subtractsDecoderBias)),
    bEnc,
    wDec: byNorm ? gradWDec.add<Tensor2D>(byNorm) : gradWDec,
    bDec: subtractsDecoderBias ? sum.sub<Tensor1D>(throughEncoder(request, bEnc)) : sum,
    ...(logThreshold && { logThreshold }),
  };
}

/** Gated (Rajamanoharan et al., 2404.16014, §3.2): the gate's entries are at the places of the magnitudes'. */
function gatedGradients(
  operations: Operations,
  request: GradientRequest,
  entries: SparseEntries,
  gate: GateTerm,
) {
  const { main, parameters, subtractsDecoderBias } = request;
  const { latents, indices } = entries;
  const row = rowsOf(operations, entries);
  const bySum = (values: Tensor1D) => operations.segmentSum<Tensor1D>(values, indices, latents);
  const zero = tf.scalar(0);
  const m = activationsOf(operations, entries, null);
  const byMain = (main.dots as Tensor1D).mul(main.scale);
  const gradM = operations.select<Tensor1D>(firingOf(entries, null), byMain, zero);
  const byGate = (gate.dots as Tensor1D).mul(gate.scale).add(gate.l1);
  const gradGate = operations.select<Tensor1D>(firingOf(listOf(gate), null), byGate, zero);
  const gradZ = gradM.mul(tf.gather(gate.gain, indices)).add<Tensor1D>(gradGate);
  const outer = (values: Tensor1D, dense: Tensor2D) =>
    operations.sparseProduct(
      { rows: dense.shape[0], columns: latents, row, column: indices, values },
      dense,
      true,
    );
  const bMag = tf.gather(parameters.bMag as Tensor1D, indices);
  const sum = main.error.sum<Tensor1D>(0).mul<Tensor1D>(main.scale);
  return {
    wEnc: outer(gradZ, centred(request, subtractsDecoderBias)),
    bEnc: bySum(gradGate),
    wDec: outer(m.mul(main.scale), main.error),
    bDec: subtractsDecoderBias ? sum.sub<Tensor1D>(throughEncoder(request, bySum(gradZ))) : sum,
    rMag: bySum(gradM.mul(m.sub(bMag))),
    bMag: bySum(gradM),
  };
}

function listOf({ entries }: Pick<LossTerm, 'entries'>): SparseEntries {
  if (entries.kind === 'sparse') return entries;
  throw new Error('A term whose main term is a list must be a list.');
}

/** What to add to the row of each entry so that it names a row of the stacked errors of nested reconstructions. */
function blockOf({ prefixes }: LossTerm, indices: Tensor1D, rows: number): Tensor1D {
  if (!prefixes || prefixes.length === 1) return tf.zerosLike(indices);
  return tf.gather(prefixTable(prefixes, rows), indices);
}

/** int32 [latents]: the number of the first prefix that has the latent, times `rows`. */
export function prefixTable(prefixes: Int32Array, rows: number): Tensor1D {
  const table = new Int32Array(prefixes[prefixes.length - 1]);
  for (let p = 1; p < prefixes.length; p++) table.fill(p * rows, prefixes[p - 1], prefixes[p]);
  return tf.tensor1d(table, 'int32');
}

function together(terms: readonly Weighted[]): Weighted {
  if (terms.length === 1) return terms[0];
  return {
    row: tf.concat(terms.map(({ row }) => row)),
    latent: tf.concat(terms.map(({ latent }) => latent)),
    values: tf.concat(terms.map(({ values }) => values)),
  };
}

function centred({ x, parameters }: GradientRequest, subtracts: boolean): Tensor2D {
  return subtracts ? x.sub<Tensor2D>(parameters.bDec) : x;
}

/** Σ_i v_i W_enc,i [d] */
function throughEncoder({ parameters }: GradientRequest, v: Tensor1D): Tensor1D {
  return tf.matMul(v.expandDims<Tensor2D>(0), parameters.wEnc as Tensor2D).squeeze([0]);
}

/** min(1, clipNorm / ‖gradient‖), the norm taken over all parameters together. */
export function clipping(operations: Operations, gradients: DictionaryTensors, clipNorm: number): number {
  const squares = tf.tidy(() => {
    const present = Object.values(gradients).filter(
      (gradient): gradient is Tensor1D | Tensor2D => gradient !== null,
    );
    return hostNumber(tf.addN(present.map((gradient) => operations.sumOfSquares(gradient))) as Scalar);
  });
  return Math.min(1, clipNorm / Math.sqrt(squares));
}
