/**
 * What `train` is to do as jobs that can run anywhere: one a run, each with every option that its configuration needs, so that
 * `lazyscope train` with the options of a job makes what the sweep makes on one machine.
 */
import { readFile } from 'node:fs/promises';
import { LazyscopeError } from '../../sae/errors.ts';
import type { CommandOptionsOf, JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import { isOffered, refuseUnshared } from './jobsElsewhere.ts';
import { checkedJob } from './parseJob.ts';
import type { Session } from './runCommand.ts';

type Options = CommandOptionsOf<'train'>;
type TrainJob = Extract<JobStartInput, { kind: 'train' }>;

export interface PlannedRun {
  name: string;
  job: TrainJob;
}

/** Throws 'bad_input' for an option that jobs can't have, or a sweep that is wrong. */
export async function plannedRuns(session: Session, given: Partial<Options>): Promise<PlannedRun[]> {
  refuseUnshared(session, 'train', given, ['sweep']);
  const { sweep, ...own } = Object.fromEntries(
    Object.entries(given).filter(([name]) => name === 'sweep' || isOffered('train', name)),
  ) as Partial<Options>;
  const planned = async (name: string, options: object): Promise<PlannedRun> => ({
    name,
    job: (await checkedJob({ kind: 'train', options: { ...options, name, resume: true } })) as TrainJob,
  });
  if (sweep === undefined) {
    const { architecture, capture, name = `${capture}-${architecture}` } = own;
    if (architecture === undefined || capture === undefined)
      throw new LazyscopeError(
        'bad_input',
        `Nothing to train: give --${architecture === undefined ? 'architecture' : 'capture'}, or the path of a sweep file.`,
      );
    return [await planned(name, own)];
  }
  const { parseSweep } = await import('../../sae/training/sweep.ts');
  const runs = parseSweep(await readSweep(sweep));
  return Promise.all(
    runs.map(({ name, architecture, options }) => planned(name, { ...own, ...options, architecture })),
  );
}

/** Throws 'not_found'. */
export async function readSweep(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new LazyscopeError('not_found', `The sweep file '${path}' can't be read: check the path.`, {
      cause,
    });
  }
}
