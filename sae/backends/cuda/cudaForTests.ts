/** The backend on the software device, with kernels that a test brings along. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseCudaDeviceForTests } from './cudaDeviceForTests.ts';
import type { CudaBackend } from './cudaBackend.ts';
import { openCuda } from './openCuda.ts';
import { missingForSoftwareDevice } from './softwareDevice/softwareDevice.ts';

const missing = missingForSoftwareDevice();
/** Why tests on the software device are skipped here; empty where they run. */
export const noSoftwareDevice = missing ? ` (${missing})` : '';

/** `files`: .cu and .cuh files by name, in the place of our own. `images`: a folder for what is compiled of them. */
export async function cudaForTests(
  files: Readonly<Record<string, string>> = {},
  images?: string,
): Promise<CudaBackend> {
  chooseCudaDeviceForTests();
  const folder = mkdtempSync(join(tmpdir(), 'lazyscope-kernels-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return (await openCuda({ sources: folder, images })).backend;
}
