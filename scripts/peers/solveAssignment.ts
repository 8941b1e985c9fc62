/** One matching by one of the product's solvers, for compareAssignments.ts: prints seconds, memory and weight as JSON. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startBackend } from '../../sae/backends/startBackend.ts';
import { assign } from '../../sae/comparison/assignment.ts';
import { cosineMatrix, unitRows } from '../../sae/comparison/directions.ts';
import { assignDirections } from '../../sae/comparison/sparseAssignment.ts';

const option = { type: 'string', default: '' } as const;
const { values } = parseArgs({
  options: { a: option, b: option, latents: option, d: option, threads: option, solver: option },
});
const [latents, d] = [Number(values.latents), Number(values.d)];
const directions = async (path: string) => {
  const { buffer, byteOffset, byteLength } = await readFile(path);
  const data = new Float32Array(buffer, byteOffset, byteLength / 4);
  return unitRows({ rows: latents, d, data }, path);
};
await startBackend('native', { threads: Number(values.threads) });
const [a, b] = [await directions(values.a), await directions(values.b)];
const started = performance.now();
const before = process.cpuUsage();
const solved =
  values.solver === 'dense'
    ? { weight: assign({ rows: latents, columns: latents, data: cosineMatrix(a, b) }).weight }
    : assignDirections(a, b);
const { user, system } = process.cpuUsage(before);
process.stdout.write(
  JSON.stringify({
    seconds: (performance.now() - started) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakRssMb: process.resourceUsage().maxRSS / 1024,
    weight: solved.weight,
    ...('gap' in solved && { gap: solved.gap }),
  }),
);
