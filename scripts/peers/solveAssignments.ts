/** Solves the problems that assignments.py drew, with both solvers: `tsx solveAssignments.ts FOLDER`. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assign } from '../../sae/comparison/assignment.ts';
import { cosineMatrix } from '../../sae/comparison/directions.ts';
import { assignDirections } from '../../sae/comparison/sparseAssignment.ts';
import { startBackend } from '../../sae/backends/startBackend.ts';

interface Problems {
  gap: number;
  problems: { rows: number; columns: number; d: number }[];
}

const folder = process.argv[2];
const { gap, problems }: Problems = JSON.parse(await readFile(join(folder, 'problems.json'), 'utf8'));
await startBackend('auto');
const answers = [];
for (const [i, { rows, columns, d }] of problems.entries()) {
  const read = async (side: 'a' | 'b', count: number) => {
    const bytes = await readFile(join(folder, `${i}.${side}`));
    return { rows: count, d, data: new Float32Array(Uint8Array.from(bytes).buffer) };
  };
  const [a, b] = [await read('a', rows), await read('b', columns)];
  const data = cosineMatrix(a, b);
  await writeFile(join(folder, `${i}.matrix`), data);
  const dense = assign({ rows, columns, data });
  const sparse = assignDirections(a, b, { gap, maxPasses: 20 });
  // Weights as the matrix has them, in double precision.
  let weight = 0;
  sparse.match.forEach((j, row) => (weight += j < 0 ? 0 : data[row * columns + j]));
  answers.push({ dense: dense.weight, sparse: weight, gap: sparse.gap });
}
await writeFile(join(folder, 'answers.json'), JSON.stringify(answers));
