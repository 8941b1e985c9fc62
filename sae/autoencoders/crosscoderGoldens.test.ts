/**
 * Crosscoders of every architecture that has them against the float64 losses, activations, reconstructions and gradients in
 * fixtures/crosscoders.json (PyTorch's autograd, layer by layer; scripts/peers/makeCrosscoderGoldens.py): the definitions by autodiff, and the fused
 * kernels of every backend that starts here. Then the update: each backend against the reference, and what it keeps.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import {
  definitionOf, describeBackends, expectClose, expectDefinition, expectGradients, expectPass, goldenArchitecture,
  goldenParameters, goldenTensor, stepSettings, type Golden, type GoldenCase, type GoldenSettings,
} from '../fixtures/goldenCases.ts'; // prettier-ignore
import type { AdamSettings, Batch, FusedKernels } from '../ops/fusedKernels.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import { referenceKernels } from '../ops/referenceKernels.ts';
import { rowSizes } from '../ops/rowSizes.ts';
import { varianceAboutMean } from '../ops/varianceAboutMean.ts';
import { blockEnds } from '../spec/layers.ts';
import type { Tensor2D } from '../tensor/tf.ts';
import { autoencoderFrom } from './autoencoder.ts';
import { dictionaryArrays, dictionaryVariables, disposeDictionary, zerosLike, type DictionaryArrays } from './dictionary.ts'; // prettier-ignore

type Name = 'relu' | 'topk' | 'jumprelu' | 'batchtopk';
interface Goldens extends GoldenSettings {
  widths: number[];
  x: Golden;
  cases: Record<Name, GoldenCase & { sizes: Golden }>;
}

const golden: Goldens = JSON.parse(
  readFileSync(new URL('fixtures/crosscoders.json', import.meta.url), 'utf8'),
);
const { x } = golden;
const [, d] = x.shape;
const layers = golden.widths.map((width, at) => ({ hook: `hook ${at}`, width, scale: 1 }));
const blocks = blockEnds(layers);
const names = Object.keys(golden.cases) as Name[];

function batch(): Batch {
  const own = goldenTensor(x);
  return { x: own, target: own, blocks, variance: varianceAboutMean(x.data, d) };
}
const architectureOf = (name: Name) =>
  goldenArchitecture(name, golden, golden.cases[name], { hook: layers.map(({ hook }) => hook).join() });

const adam: AdamSettings = {
  learningRate: 0.05,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  step: 1,
  clipNorm: 0.5,
  unitNormDecoder: false,
};

/** The dictionary after three clipped updates. */
function updated(kernels: FusedKernels, name: Name): DictionaryArrays {
  const want = golden.cases[name];
  const arrays = () => goldenParameters(want.parameters);
  const unitNormDecoder = name !== 'relu';
  const p = dictionaryVariables(arrays());
  const moments = {
    first: dictionaryVariables(zerosLike(arrays())),
    second: dictionaryVariables(zerosLike(arrays())),
  };
  for (let step = 1; step <= 3; step++) {
    const pass = architectureOf(name).forward(kernels, p, batch(), stepSettings(golden, want));
    kernels.update(pass.request, moments, { ...adam, step, unitNormDecoder });
  }
  if (unitNormDecoder)
    for (const size of rowSizes(p.wDec as Tensor2D, blocks).dataSync()) expect(size).toBeCloseTo(1, 5);
  const found = dictionaryArrays(p);
  for (const dictionary of [p, moments.first, moments.second]) disposeDictionary(dictionary);
  return found;
}

describeBackends(['cpu', 'native', 'wasm', 'cuda', 'webgpu'], (backend) => {
  test.each(names)('%s', async (name) => {
    await startBackend(backend);
    const want = golden.cases[name];
    const arrays = () => goldenParameters(want.parameters);
    // TF.js's oneHot on WebAssembly, which only the definitions need, writes a float's 1 as the bits of an integer.
    if (backend !== 'wasm')
      expectDefinition(definitionOf(name, { x, target: x, blocks }, golden, want), arrays(), want);
    const p = dictionaryVariables(arrays());
    expectClose(rowSizes(p.wDec as Tensor2D, blocks), want.sizes);
    const pass = architectureOf(name).forward(fusedKernels(), p, batch(), stepSettings(golden, want));
    await expectPass(pass, p, x, want);
    expectGradients({ ...fusedKernels().gradients(pass.request) }, want);
    disposeDictionary(p);
  });

  test('a finished crosscoder reads x without the decoder’s bias', async () => {
    await startBackend(backend);
    const want = golden.cases.topk;
    const { wEnc, bEnc, wDec, bDec } = goldenParameters(want.parameters);
    const place = { hook: 'a', layers, model: '', run: '', seed: 0, scale: 1 };
    const metadata = { architecture: 'topk', k: golden.k, ...place } as const;
    const stored = { wEnc, bEnc, wDec, bDec, threshold: null, latents: bEnc.length, d, metadata };
    const crosscoder = autoencoderFrom(stored);
    expectClose(crosscoder.reconstruct(goldenTensor(x)), want.x_hat);
    expectClose(crosscoder.decode(crosscoder.encode(goldenTensor(x))), want.x_hat);
    crosscoder.dispose();
  });

  if (backend === 'cpu') return;
  test.each(names)('%s: three updates are those of the reference', async (name) => {
    await startBackend('cpu');
    const expected = updated(referenceKernels, name);
    await startBackend(backend);
    const found = updated(fusedKernels(), name);
    const begun = goldenParameters(golden.cases[name].parameters);
    for (const part of ['wEnc', 'bEnc', 'wDec', 'bDec', 'logThreshold'] as const) {
      const [a, b, before] = [found[part], expected[part], begun[part]];
      if (!a || !b || !before) continue;
      let [worst, moved] = [0, 0];
      for (let i = 0; i < b.length; i++) {
        worst = Math.max(worst, Math.abs(a[i] - b[i]));
        moved = Math.max(moved, Math.abs(b[i] - before[i]));
      }
      expect(moved).toBeGreaterThan(0.01);
      expect(worst).toBeLessThan(1e-4);
    }
  });
});
