/** Rows from a model in memory of the cuda backend's device. */
import { describe, vi } from 'vitest';
import { describeModelRows } from '../../fixtures/modelRowCases.ts';
import { cudaRows } from '../../fixtures/rowDevices.ts';
import { chooseCudaDeviceForTests } from './cudaDeviceForTests.ts';
import { noSoftwareDevice } from './cudaForTests.ts';

chooseCudaDeviceForTests();

describe.skipIf(noSoftwareDevice)(`on the cuda backend${noSoftwareDevice}`, () => {
  vi.setConfig({ testTimeout: 240_000 });
  describeModelRows(cudaRows());
});
