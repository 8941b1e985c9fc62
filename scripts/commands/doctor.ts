/** `lazyscope doctor`: what works on this machine, and for what does not, the reason and the remedy. */
import { Command } from 'commander';
import { existsSync } from 'node:fs';
import { access, constants, statfs } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';
import type { StartedBackend } from '../../sae/backends/startBackend.ts';
import { isLazyscopeError, type LazyscopeError } from '../../sae/errors.ts';
import { packageVersion } from '../commandLine/environment.ts';
import { withCommonOptions } from '../commandLine/options.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import type { Session } from '../commandLine/runCommand.ts';

export function doctor(): Command {
  const command = new Command('doctor').description(
    'say which backends work here, and what to do about those that do not',
  );
  return withCommonOptions(command).action(() =>
    runCommand(command, async (session) => {
      const { probeBackends } = await import('../../sae/backends/startBackend.ts');
      const backends = await probeBackends();
      const chosen = await chosenBackend(session);
      const data = await dataFolder(session.store.root);
      const machine = {
        lazyscope: packageVersion(),
        node: process.versions.node,
        platform: `${process.platform}-${process.arch}`,
        cpu: cpus()[0]?.model.trim() ?? 'unknown',
        cores: availableParallelism(),
        memoryGb: Math.round(totalmem() / 2 ** 30),
      };
      const lines = [
        `Lazyscope ${machine.lazyscope}, Node ${machine.node} on ${machine.platform}`,
        `${machine.cpu}, ${machine.cores} threads, ${machine.memoryGb} GB`,
        `Data folder ${data.folder}: ${data.writable ? `${data.freeGb} GB free` : 'NOT writable'}`,
        '',
        ...backends.flatMap(({ name, works, detail, remedy }) => [
          `${works ? '✓' : '✗'} ${name.padEnd(11)} ${detail}`,
          ...(works || !remedy ? [] : [`  ${' '.repeat(11)} → ${remedy}`]),
        ]),
        ...(isLazyscopeError(chosen)
          ? []
          : ['', `Commands compute on ${chosen.name} (${chosen.threads} threads): ${chosen.reason}.`]),
      ];
      const failure = isLazyscopeError(chosen) ? chosen : undefined;
      return {
        document: {
          ...machine,
          data,
          backends,
          chosen: failure ? null : chosen,
          problem: failure?.message ?? null,
        },
        text: lines.join('\n').replaceAll(/\.\.$/gm, '.'),
        failure,
      };
    }),
  );
}

async function chosenBackend({ startBackend }: Session): Promise<StartedBackend | LazyscopeError> {
  try {
    return await startBackend();
  } catch (error) {
    // A backend that does not start is an error after the report; a name that is no backend's is an error without a report.
    if (isLazyscopeError(error) && error.code === 'unavailable') return error;
    throw error;
  }
}

async function dataFolder(folder: string) {
  // Looking makes nothing: where there is no folder yet, it is the one above that must let it be made.
  let there = folder;
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there);
  const writable = await access(there, constants.W_OK).then(
    () => true,
    () => false,
  );
  const disk = await statfs(there);
  return { folder, writable, freeGb: Math.round((disk.bavail * disk.bsize) / 2 ** 30) };
}
