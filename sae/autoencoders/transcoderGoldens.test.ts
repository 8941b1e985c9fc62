/**
 * Transcoders and skip transcoders of every architecture, and the autoencoders that architectureGoldens.test.ts leaves out, against the float64 losses,
 * activations, predictions and gradients in fixtures/architectures.json (PyTorch's autograd; scripts/peers/makeArchitectureGoldens.py): the
 * definitions by autodiff, and the fused kernels of every backend that starts here. Skip transcoders are between two widths.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import {
  definitionOf, describeBackends, expectClose, expectDefinition, expectGradients, expectPass, goldenArchitecture,
  goldenParameters, goldenTensor, stepSettings, type Golden, type GoldenCase, type GoldenName, type GoldenParameters, type GoldenSettings,
} from '../fixtures/goldenCases.ts'; // prettier-ignore
import type { Batch } from '../ops/fusedKernels.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import { varianceAboutMean } from '../ops/varianceAboutMean.ts';
import { architectureNames } from '../spec/architectures/architectures.ts';
import { skipGradient, withoutSkip } from '../training/skipConnection.ts';
import { autoencoderFrom } from './autoencoder.ts';
import { dictionaryVariables, disposeDictionary } from './dictionary.ts';

interface Goldens extends GoldenSettings {
  x: Golden;
  y: Golden;
  parameters: GoldenParameters;
  transcoders: Record<GoldenName, GoldenCase>;
  skipTranscoders: { y: Golden; parameters: GoldenParameters; cases: Record<GoldenName, GoldenCase> };
  autoencoders: Record<'relu' | 'topk' | 'jumprelu', GoldenCase>;
}
const golden: Goldens = JSON.parse(
  readFileSync(new URL('fixtures/architectures.json', import.meta.url), 'utf8'),
);
const { x, y, parameters, skipTranscoders } = golden;

const outputHook = 'blocks.0.hook_mlp_out';
const kinds = [
  { kind: 'autoencoder', cases: golden.autoencoders, target: undefined, given: parameters, changes: {} },
  { kind: 'transcoder', cases: golden.transcoders, target: y, given: parameters, changes: { outputHook } },
  {
    kind: 'skip transcoder between two widths',
    cases: skipTranscoders.cases,
    target: skipTranscoders.y,
    given: { ...parameters, ...skipTranscoders.parameters },
    changes: { outputHook, skip: true },
  },
];
const cases = kinds.flatMap(({ cases: of, ...rest }) =>
  Object.entries(of).map(([name, want]) => ({ ...rest, name: name as GoldenName, want })),
);

test('every architecture has goldens of a transcoder and of a skip transcoder', () => {
  for (const of of [golden.transcoders, skipTranscoders.cases])
    expect(Object.keys(of).sort()).toEqual([...architectureNames].sort());
});

describeBackends(['cpu', 'native', 'cuda', 'webgpu'], (backend) => {
  test.each(cases)('$name, $kind', async ({ name, target, given, changes, want }) => {
    await startBackend(backend);
    const arrays = () => goldenParameters(given, want.parameters);
    const data = { x, ...(target && { target }) };
    expectDefinition(definitionOf(name, data, golden, want), arrays(), want);

    const p = dictionaryVariables(arrays());
    const predicted = target ?? x;
    const batch: Batch = {
      x: goldenTensor(x),
      ...(target && { target: goldenTensor(target) }),
      variance: varianceAboutMean(predicted.data, predicted.shape[1]),
    };
    const architecture = goldenArchitecture(name, golden, want, changes);
    const left = p.wSkip ? withoutSkip(batch, p.wSkip) : batch;
    const pass = architecture.forward(fusedKernels(), p, left, stepSettings(golden, want));
    await expectPass(pass, p, predicted, want);
    const wSkip = p.wSkip ? skipGradient(pass.request) : null;
    expectGradients({ ...fusedKernels().gradients(pass.request), wSkip }, want);
    disposeDictionary(p);
  });

  test.each([
    ['transcoder', golden.transcoders.topk, parameters],
    ['skip transcoder', skipTranscoders.cases.topk, { ...parameters, ...skipTranscoders.parameters }],
  ] as const)('a finished %s reads x without the decoder’s bias', async (_, want, given) => {
    await startBackend(backend);
    const arrays = goldenParameters(given);
    const place = { hook: 'a', outputHook: 'b', model: '', run: '', seed: 0, scale: 1 };
    const [latents, d] = [arrays.bEnc.length, x.shape[1]];
    const metadata = { architecture: 'topk', k: golden.k, ...place } as const;
    const { wEnc, bEnc, wDec, bDec, wSkip } = arrays;
    const transcoder = autoencoderFrom({
      wEnc, bEnc, wDec, bDec, ...(wSkip && { wSkip }), threshold: null, latents, d, metadata,
    }); // prettier-ignore
    expectClose(transcoder.reconstruct(goldenTensor(x)), want.x_hat);
    const code = transcoder.encode(goldenTensor(x));
    expectClose(transcoder.decode(code, goldenTensor(x)), want.x_hat);
    expect(transcoder.outputHook).toBe('b');
    transcoder.dispose();
  });
});
