/** Every case of the conformance suite on one backend, against TF.js's plain CPU backend: `conformance.ts BACKEND`. Prints JSON. */
import { backendNames } from '../../sae/backends/backend.ts';
import { conformanceCases } from '../../sae/backends/conformanceCases.ts';
import { difference, knownDifference, outputsOf } from '../../sae/backends/conformanceOutputs.ts';
import { startBackend } from '../../sae/backends/startBackend.ts';

const name = backendNames.find((known) => known === process.argv[2]);
if (!name) throw new Error(`conformance.ts BACKEND: choose one of ${backendNames.join(', ')}.`);

await startBackend('cpu');
const reference = conformanceCases().map((c) => ({ c, expected: outputsOf(c) }));
const { detail } = await startBackend(name);
const failures: { case: string; difference: string }[] = [];
let passed = 0;
let skipped = 0;
for (const { c, expected } of reference) {
  if (knownDifference(name, c.name)) {
    skipped++;
    continue;
  }
  const wrong = difference(outputsOf(c), expected, c.tolerance);
  if (wrong) failures.push({ case: c.name, difference: wrong });
  else passed++;
}
process.stdout.write(
  `${JSON.stringify({ device: detail, passed, skipped, failed: failures.length, failures })}\n`,
);
process.exit(0);
