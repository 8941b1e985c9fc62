/** AuxK over the dead latents alone: what is composed of the kernels for all latents, whichever way it is computed. */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { auxiliaryPass } from '../../../autoencoders/auxK.ts';
import { gradientRequest, Inputs } from '../../../fixtures/fusedInputs.ts';
import { hostNumber } from '../../../ops/computed.ts';
import type { FusedKernels } from '../../../ops/fusedKernels.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../../tensor/tf.ts';
import { startBackend } from '../../startBackend.ts';
import { chooseCudaDeviceForTests } from '../cudaDeviceForTests.ts';
import type { CudaBackend } from '../cudaBackend.ts';
import { cudaFusedKernels } from '../fused.ts';
import { placesFor, wordsOf } from './auxiliaryPlaces.ts';

chooseCudaDeviceForTests();
vi.setConfig({ testTimeout: 120_000 });

let backend: CudaBackend;
beforeAll(async () => {
  await startBackend('cuda');
  backend = tf.backend() as CudaBackend;
});

/** Every `step`-th latent from `first` on. */
const everyOf = (latents: number, first: number, step: number) =>
  Int32Array.from({ length: Math.ceil((latents - first) / step) }, (_, i) => first + i * step);

interface Case {
  readonly sizes: readonly [rows: number, d: number, latents: number];
  readonly wider?: number;
  readonly subtract?: boolean;
  readonly dead: Int32Array;
  /** Whether many pre-activations are equal. */
  readonly ties?: boolean;
}

function measured(kernels: FusedKernels, { sizes, wider = 0, subtract = true, dead, ties = false }: Case) {
  const inputs = new Inputs();
  const { made } = gradientRequest(inputs, sizes, { form: 'list', wider, subtract });
  const [rows, d, latents] = sizes;
  const { parameters } = made;
  if (ties) {
    parameters.wEnc.assign(inputs.integers([latents, d], 1));
    parameters.bEnc.assign(inputs.integers([latents], 1));
    parameters.bDec.assign(inputs.integers([d + wider], 1));
  }
  const x = ties ? inputs.integers<Tensor2D>([rows, d], 1) : made.x;
  const [wEnc, wDec] = [parameters.wEnc as Tensor2D, parameters.wDec as Tensor2D];
  const encoder = {
    wEnc,
    bEnc: parameters.bEnc as Tensor1D,
    centre: subtract ? (parameters.bDec as Tensor1D) : null,
  };
  const { error } = made.main;
  const pass = auxiliaryPass(kernels, x, { encoder, wDec }, { error, dead, coefficient: 0.7 });
  const { auxiliary, auxiliaryRows } = pass.request;
  const gradients = kernels.gradients({ ...made, x, auxiliary, ...(auxiliaryRows && { auxiliaryRows }) });
  const [squaredError, variance] = pass.parts.map((part) => hostNumber(part));
  return {
    byProducts: auxiliaryRows !== undefined,
    loss: pass.loss(squaredError, variance, dead),
    gradients: Object.fromEntries(
      (['wEnc', 'bEnc', 'wDec', 'bDec'] as const).map((name) => [name, [...gradients[name].dataSync()]]),
    ),
  };
}

function expectClose(got: readonly number[], want: readonly number[], name: string): void {
  const size = Math.sqrt(want.reduce((sum, value) => sum + value * value, 0) / want.length);
  expect(size).toBeGreaterThan(0);
  got.forEach((value, i) => {
    if (!(Math.abs(value - want[i]) <= 2e-5 * (size + Math.abs(want[i]))))
      expect.fail(`${name}[${i}] is ${value}, and ${want[i]} of all latents`);
  });
}

const cases: readonly (readonly [string, Case])[] = [
  ['fewer dead latents than a row keeps', { sizes: [70, 24, 130], dead: everyOf(130, 3, 19) }],
  ['more of them', { sizes: [70, 24, 130], dead: everyOf(130, 1, 2) }],
  ['all of them', { sizes: [33, 16, 50], dead: everyOf(50, 0, 1) }],
  [
    'a transcoder between two widths',
    { sizes: [130, 30, 90], wider: 7, subtract: false, dead: everyOf(90, 2, 2) },
  ],
  ['equal pre-activations', { sizes: [64, 12, 300], dead: everyOf(300, 1, 1), ties: true }],
];

describe.each([
  ['products', Infinity],
  ['lists', 0],
] as const)('by %s', (way, placesAnEntry) => {
  test.each(cases)('%s', (_, given) => {
    const kernels = cudaFusedKernels(backend, { placesAnEntry });
    const { auxiliary, ...composed } = kernels;
    expect(auxiliary).toBeDefined();
    const want = measured(composed, given);
    const got = measured(kernels, given);
    expect(got.byProducts).toBe(way === 'products');
    expect(Math.abs(got.loss / want.loss - 1)).toBeLessThan(1e-5);
    for (const [name, values] of Object.entries(want.gradients))
      expectClose(got.gradients[name], values, name);
  });

  test('a pre-activation that is not finite reaches the loss', () => {
    const kernels = cudaFusedKernels(backend, { placesAnEntry });
    const request = gradientRequest(new Inputs(), [20, 8, 40], { form: 'list' }).made;
    const { wEnc, bEnc, wDec } = request.parameters;
    bEnc.assign(tf.tensor1d(Array.from({ length: 40 }, (_, i) => (i === 12 ? NaN : 0))));
    const encoder = { wEnc: wEnc as Tensor2D, bEnc: bEnc as Tensor1D, centre: null };
    const { error } = request.main;
    const squaredError = (dead: Int32Array) => {
      const dictionary = { encoder, wDec: wDec as Tensor2D };
      const pass = auxiliaryPass(kernels, request.x, dictionary, { error, dead, coefficient: 1 });
      return hostNumber(pass.parts[0]);
    };
    expect(squaredError(Int32Array.of(3, 12, 30))).toBeNaN();
    expect(squaredError(Int32Array.of(3, 13, 30))).toBeGreaterThan(0);
  });
});

test('there is room for a power of two of dead latents, and for no more than there are latents', () => {
  expect([1, 32, 33, 4096, 4097].map((dead) => placesFor(dead, 24_576))).toEqual([32, 32, 64, 4096, 8192]);
  expect(placesFor(20_000, 24_576)).toBe(24_576);
  expect(placesFor(40, 45)).toBe(48);
});

test('what is sent to the device', () => {
  const words = wordsOf({ dead: Int32Array.of(4, 9), most: 3, numerator: 0.125 });
  expect([words.length, words[0], words[2], words[3]]).toEqual([4, 2, 4, 9]);
  expect(new Float32Array(words.buffer)[1]).toBe(0.125);
});
