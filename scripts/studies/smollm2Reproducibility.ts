/**
 * The reproducibility study of SmolLM2-135M-Instruct: what smollm2-reproducibility.yaml lists is captured, trained, evaluated, compared
 * seed with seed and asked what comes back; then tables and plots. What is done is not done again, so that it can be stopped and
 * started at will, and run in pieces of --minutes.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import { positiveNumber, withCommonOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import { measureReproducibilityStudy, readRows } from './measureReproducibilityStudy.ts';
import { reproducibilityPlots } from './reproducibilityPlots.ts';
import { reproducibilityTables } from './reproducibilityReport.ts';
import { parseReproducibilityStudy } from './reproducibilityStudy.ts';

const base = join(dirname(fileURLToPath(import.meta.url)), 'smollm2-reproducibility');
const results = `${base}.results.json`;

const command = withCommonOptions(
  new Command('smollm2-reproducibility')
    .option('--model <path>', 'SmolLM2-135M-Instruct.Q4_1.gguf, or a folder that holds the model')
    .option('--report', 'write tables and plots of the stored results, and do nothing else')
    .option('--minutes <n>', 'begin nothing new after this long', positiveNumber),
).action(({ model, report, minutes = Infinity }: { model?: string; report?: boolean; minutes?: number }) =>
  runCommand(command, async (session) => {
    if (!report) {
      if (model === undefined)
        throw new LazyscopeError(
          'bad_input',
          'It is not said where the model is: give --model, or --report to compute nothing.',
        );
      const until = performance.now() + minutes * 60_000;
      const mayBegin = () => {
        session.signal.throwIfAborted();
        return performance.now() < until;
      };
      await session.startBackend();
      const study = parseReproducibilityStudy(await readFile(`${base}.yaml`, 'utf8'));
      await measureReproducibilityStudy(session, { study, model, results, mayBegin });
    }
    const rows = await readRows(results);
    await writeFile(`${base}.results.md`, reproducibilityTables(rows));
    for (const [name, svg] of reproducibilityPlots(rows)) await writeFile(`${base}-${name}.svg`, svg);
    return {
      document: { runs: rows },
      text: `${rows.length} runs are in ${results}, with tables and plots beside it.`,
    };
  }),
);
await command.parseAsync();
