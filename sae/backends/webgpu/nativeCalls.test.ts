/** What a training step asks of Dawn once training is steady: each call costs the host microseconds, and making a group of bindings more than ten. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { smallConfig, smallSource } from '../../fixtures/smallRuns.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import { initialState } from '../../training/initialState.ts';
import { Trainer } from '../../training/trainer.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';
import { loadDawn } from './dawn.ts';
import { countNativeCalls, type NativeCalls } from './nativeCalls.ts';

const adapter = await adapterForTests();
const steps = 8;

describe.skipIf(!adapter.found)(`on ${adapter.description}`, () => {
  vi.setConfig({ testTimeout: 240_000 });
  let counts: NativeCalls = new Map();
  beforeAll(async () => {
    await startBackend('webgpu');
    counts = countNativeCalls((await loadDawn()).classes);
  });
  afterAll(() => counts.clear());

  test.each(['topk', 'jumprelu', 'gated'] as const)(
    'a steady step of %s makes no buffers and no groups of bindings, and calls Dawn a few times for each kernel',
    async (architecture) => {
      const [config, source] = [smallConfig(architecture), smallSource()];
      const state = initialState(config, source);
      const trainer = new Trainer(config, source, state, fusedKernels());
      for (let step = 0; step < steps; step++) await trainer.advance();
      const before = new Map([...counts].map(([name, { calls }]) => [name, calls]));
      for (let step = 0; step < steps; step++) await trainer.advance();
      trainer.dispose();
      const made = (name: string) => (counts.get(name)?.calls ?? 0) - (before.get(name) ?? 0);
      for (const thing of ['Buffer', 'BindGroup', 'BindGroupLayout', 'ComputePipeline', 'ShaderModule'])
        expect(made(`GPUDevice.create${thing}`), thing).toBe(0);
      const kernels = made('GPUComputePassEncoder.setPipeline');
      expect(kernels).toBeGreaterThan(15 * steps);
      const all = [...counts.keys()].reduce((sum, name) => sum + made(name), 0);
      expect(all / kernels).toBeLessThan(7);
      // The step's own numbers for each of at most seven parameters, and small tensors.
      expect(made('GPUQueue.writeBuffer') / steps).toBeLessThan(20);
    },
  );
});
