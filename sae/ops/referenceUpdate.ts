/**
 * Reference gradients of a sparse autoencoder's loss, and the reference optimiser, in plain TF.js ops over the
 * dense [batch, latents] matrices. Formulas: METHODS.md §1 (Rajamanoharan et al. 2407.14435 for the
 * straight-through estimators; Kingma & Ba 1412.6980 for Adam, with ε outside the root as PyTorch has it).
 */
import { tf, type Tensor1D, type Tensor2D, type Variable } from '../tensor/tf.ts';
import type {
  AdamSettings,
  DictionaryOf,
  DictionaryTensors,
  DictionaryVariables,
  GateTerm,
  GradientRequest,
  LossTerm,
} from './fusedKernels.ts';
import { latentActivations, densePreActivations, firing } from './denseActivations.ts';
import { kernelParameters } from './kernelParameters.ts';
import { rowSizes, sizeNormals, unitSizeRows, withoutParallel } from './rowSizes.ts';
import { denseFromEntries } from './sparseEntries.ts';
import { sumOfSquares } from './sumOfSquares.ts';

export function referenceGradients(request: GradientRequest): DictionaryTensors {
  if (request.gate) return gatedGradients(request, request.gate);
  const { parameters, x, subtractsDecoderBias, main, auxiliary, auxiliaryRows, l1, jump } = request;
  if (auxiliaryRows) throw new TypeError('Gradients of rows are for the backend that has made them.');
  const wDec = parameters.wDec as Tensor2D;
  const gradients = tf.tidy(() => {
    const centred = subtractsDecoderBias ? x.sub<Tensor2D>(parameters.bDec) : x;
    const threshold = jump?.threshold ?? null;
    const z = densePreActivations(main.entries);
    const on = firing(z, threshold);
    const f = latentActivations(z, threshold);
    const norm = rowSizes(wDec, request.blocks);

    let gradF = denseDots(main);
    const [rows] = x.shape;
    const blocks = errorBlocks(main, rows);
    let gradWDec = tf
      .concat(
        blocks.map(({ error, begin, latents }) =>
          tf.matMul(f.slice([0, begin], [rows, latents]), error, true, false),
        ),
      )
      .mul<Tensor2D>(main.scale);
    if (l1 > 0) {
      gradF = gradF.add<Tensor2D>(norm.mul(l1));
      gradWDec = gradWDec.add<Tensor2D>(
        sizeNormals(wDec, request.blocks).mul(f.sum(0).mul(l1).expandDims(1)),
      );
    }
    let gradZ = tf.where(on, gradF, tf.zerosLike(gradF)) as Tensor2D;
    let logThreshold: Tensor1D | null = null;
    if (jump) {
      const inBand = tf.less(tf.abs(z.sub(jump.threshold)), jump.bandwidth / 2);
      const each = gradF.mul(jump.threshold).add(jump.l0Gradient).div(-jump.bandwidth);
      const gradTheta = tf.where(inBand, each, tf.zerosLike(each)).sum(0);
      logThreshold = gradTheta.mul<Tensor1D>(jump.threshold);
    }
    if (auxiliary) {
      const zAux = densePreActivations(auxiliary.entries);
      const dots = denseDots(auxiliary);
      gradWDec = gradWDec.add<Tensor2D>(
        tf.matMul(latentActivations(zAux, null), auxiliary.error, true, false).mul(auxiliary.scale),
      );
      gradZ = gradZ.add<Tensor2D>(tf.where(firing(zAux, null), dots, tf.zerosLike(dots)));
    }
    const bEnc = gradZ.sum<Tensor1D>(0);
    let bDec = blocks[0].error.sum<Tensor1D>(0).mul<Tensor1D>(main.scale);
    if (subtractsDecoderBias) bDec = bDec.sub<Tensor1D>(throughEncoder(parameters, bEnc));
    const wEnc = tf.matMul(gradZ, centred, true, false) as Tensor2D;
    return { wEnc, bEnc, wDec: gradWDec, bDec, ...(logThreshold && { logThreshold }) };
  });
  return { logThreshold: null, ...gradients };
}

/** Σ_i v_i W_enc,i [d] of v [latents] */
function throughEncoder({ wEnc }: DictionaryVariables, v: Tensor1D): Tensor1D {
  return tf.matMul(v.expandDims<Tensor2D>(0), wEnc as Tensor2D).squeeze([0]);
}

/** The latents of a loss term and the errors that they have to do with, all of them but in nested reconstructions. */
function errorBlocks({ entries, error, prefixes }: LossTerm, rows: number) {
  const ends = prefixes ?? [entries.latents];
  return Array.from(ends, (end, block) => {
    const begin = block === 0 ? 0 : ends[block - 1];
    const [, d] = error.shape;
    return { begin, latents: end - begin, error: error.slice<Tensor2D>([block * rows, 0], [rows, d]) };
  });
}

/** Gated (Rajamanoharan et al., 2404.16014, §3.2). */
function gatedGradients(
  { parameters, x, subtractsDecoderBias, main }: GradientRequest,
  gate: GateTerm,
): DictionaryTensors {
  const bMag = parameters.bMag as Tensor1D;
  const gradients = tf.tidy(() => {
    const centred = subtractsDecoderBias ? x.sub<Tensor2D>(parameters.bDec) : x;
    const m = latentActivations(densePreActivations(main.entries), null);
    const on = firing(m, null);
    const open = firing(densePreActivations(gate.entries), null);
    const byMain = denseDots(main);
    const gradM = tf.where(on, byMain, tf.zerosLike(byMain)) as Tensor2D;
    const byGate = denseDots(gate).add<Tensor2D>(gate.l1);
    const gradGate = tf.where(open, byGate, tf.zerosLike(byGate)) as Tensor2D;
    const gradZ = gradM.mul<Tensor2D>(gate.gain).add<Tensor2D>(gradGate);
    const bDec = main.error.sum<Tensor1D>(0).mul<Tensor1D>(main.scale);
    return {
      wEnc: tf.matMul(gradZ, centred, true, false) as Tensor2D,
      bEnc: gradGate.sum<Tensor1D>(0),
      wDec: tf.matMul(m, main.error, true, false).mul<Tensor2D>(main.scale),
      bDec: subtractsDecoderBias ? bDec.sub<Tensor1D>(throughEncoder(parameters, gradZ.sum(0))) : bDec,
      rMag: gradM.mul(m.sub(bMag)).sum<Tensor1D>(0),
      bMag: gradM.sum<Tensor1D>(0),
    };
  });
  return { logThreshold: null, ...gradients };
}

/** ∂L/∂f of one loss term, dense [batch, latents]; 0 where there is no entry. */
function denseDots({ entries, dots, scale }: Pick<LossTerm, 'entries' | 'dots' | 'scale'>): Tensor2D {
  const dense =
    entries.kind === 'dense' ? (dots as Tensor2D) : denseFromEntries(entries, 0, dots as Tensor1D);
  return dense.mul<Tensor2D>(scale);
}

export function referenceUpdate(
  request: GradientRequest,
  moments: { first: DictionaryVariables; second: DictionaryVariables },
  adam: AdamSettings,
): void {
  const gradients = referenceGradients(request);
  const scale = adam.clipNorm === null ? 1 : clipScale(gradients, adam.clipNorm);
  for (const name of kernelParameters) {
    const [parameter, gradient] = [request.parameters[name], gradients[name]];
    const [first, second] = [moments.first[name], moments.second[name]];
    if (!parameter || !gradient || !first || !second) continue;
    const unitNorm = name === 'wDec' && adam.unitNormDecoder;
    tf.tidy(() => {
      let g: Tensor1D | Tensor2D = gradient.mul(scale);
      if (unitNorm) g = withoutParallel(g as Tensor2D, sizeNormals(parameter as Tensor2D, request.blocks));
      adamStep(parameter, first, second, g, adam);
      if (unitNorm) parameter.assign(unitSizeRows(parameter as Tensor2D, request.blocks));
    });
    gradient.dispose();
  }
}

/** min(1, clipNorm / ‖gradient‖), the norm taken over all parameters together. */
export function clipScale(gradients: DictionaryOf<Tensor2D, Tensor1D>, clipNorm: number): number {
  let squares = 0;
  for (const name of kernelParameters) squares += sumOfSquares(gradients[name]?.dataSync() ?? []);
  return Math.min(1, clipNorm / Math.sqrt(squares));
}

function adamStep(
  parameter: Variable,
  first: Variable,
  second: Variable,
  gradient: Tensor1D | Tensor2D,
  { learningRate, beta1, beta2, epsilon, step }: AdamSettings,
): void {
  first.assign(first.mul(beta1).add(gradient.mul(1 - beta1)));
  second.assign(second.mul(beta2).add(gradient.square().mul(1 - beta2)));
  const rate = learningRate / (1 - beta1 ** step);
  const denominator = second
    .sqrt()
    .div(Math.sqrt(1 - beta2 ** step))
    .add(epsilon);
  parameter.assign(parameter.sub(first.mul(rate).div(denominator)));
}
