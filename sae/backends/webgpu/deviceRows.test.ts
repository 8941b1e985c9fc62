/** Rows from a model in memory of the webgpu backend's device. */
import { describe, vi } from 'vitest';
import { describeModelRows } from '../../fixtures/modelRowCases.ts';
import { webgpuRows } from '../../fixtures/rowDevices.ts';
import { adapterForTests } from './adapterForTests.ts';

const adapter = await adapterForTests();

describe.skipIf(!adapter.found)(`on ${adapter.description}`, () => {
  // A software driver on a busy machine takes long to compile shaders.
  vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
  describeModelRows(webgpuRows());
});
