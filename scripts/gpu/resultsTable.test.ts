import { expect, test } from 'vitest';
import { isRight, resultsTable } from './resultsTable.ts';
import type { StepResult } from './runSteps.ts';

const machine = { date: '2026-01-31', machine: '16 × some CPU', driver: 'some GPU, 580.1', node: '22.18.0' };
const done = (name: string, document: unknown): StepResult => ({
  name,
  command: name,
  outcome: 'done',
  seconds: 1,
  document,
  said: '',
});

test('a line a step, with what was wrong in bold', () => {
  const table = resultsTable(machine, [
    done('conformance', { passed: 9, skipped: 2, failed: 1, failures: [] }),
    done('products', { gemmGflops: 51234.6, copyGBs: 2999.5 }),
    done('rates', {
      gemmGflops: 5,
      copyGBs: 6,
      rates: { productMs: { bf16: 0.2361, f32: 3 }, copyGBs: 4260 },
    }),
    done('trains topk', { early: 2e-6, late: 1e-4, seconds: 3 }),
    done('trains relu', { early: 2e-3, late: 1e-4, seconds: 3 }),
    done('topk', {
      stepMs: 12,
      floorMs: 8,
      kernels: [
        { kernel: 'product', milliseconds: 7.125 },
        { kernel: 'mergeTopK', milliseconds: 2 },
      ],
    }),
    done('language model', {
      failed: 0,
      worst: { op: 'rmsNorm', off: 2e-6 },
      reading: { tokensPerSecond: 90_000.4 },
      learning: { tokensPerSecond: 30_000 },
      tf32: { reading: { tokensPerSecond: 4e5 }, learning: { tokensPerSecond: 1e5 } },
      kernels: [{ kernel: 'attention', milliseconds: 1.5 }],
    }),
    done('rows', {
      different: 2,
      float16: {
        store: { byHost: 9, onDevice: 3 },
        batch: { byHost: { host: 7.1, all: 8 }, onDevice: { host: 0.25, all: 2 } },
      },
    }),
    done('PyTorch', { peers: { 'autograd, bf16': { stepMs: 20.5 } } }),
    { ...done('lost', null), outcome: 'failed', said: 'The device was lost\nwhile | computing.' },
  ]);
  expect(table.split('\n')).toEqual([
    '2026-01-31, 16 × some CPU, some GPU, 580.1, Node 22.18.0',
    '',
    '| step | result |',
    '| --- | --- |',
    '| conformance | **wrong**: 9 passed, 1 failed, 2 known to differ |',
    '| products | 51235 GFLOP/s, 3000 GB/s |',
    "| rates | 5 GFLOP/s, 6 GB/s; by the device's clock bf16 0.236 ms, f32 3.000 ms for 4096 × 768 × 24576, copies 4260 GB/s |",
    '| trains topk | losses off by at most 2.0e-6 in 200 steps, 1.0e-4 at the end, 3.0 s |',
    '| trains relu | **wrong**: losses off by at most 2.0e-3 in 200 steps, 1.0e-4 at the end, 3.0 s |',
    '| topk | 12.00 ms a step, 1.50 × the floor, product 7.13, mergeTopK 2.00 |',
    '| language model | ops off by at most 2.0e-6, reads 90000 tokens/s, learns 30000 tokens/s, in tf32 reads 400000 tokens/s, learns 100000 tokens/s, attention 1.50 |',
    '| rows | **wrong**: 2 not the same; float16: a batch 8.00 → 2.00 ms (host 7.10 → 0.25 ms), storing a pass 9.00 → 3.00 ms; float32 ? |',
    '| PyTorch | autograd, bf16 20.50 ms |',
    '| lost | **failed**: The device was lost while \\| computing. |',
    '',
  ]);
});

test('a loss that is no number is wrong', () => {
  expect(isRight({ early: null, late: 0 })).toBe(false);
  expect(isRight({ early: 1e-4, late: 0.01 })).toBe(true);
});

test('stored in 16 bits, only the end counts; another result the second time is wrong', () => {
  expect(isRight({ storage: 'bf16', early: 1e-2, late: 0.01 })).toBe(true);
  expect(isRight({ storage: 'bf16', early: 1e-2, late: 0.02 })).toBe(false);
  expect(isRight({ storage: 'bf16', early: null, late: 0.01 })).toBe(false);
  expect(isRight({ early: 1e-5, late: 0, repeats: false })).toBe(false);
});
