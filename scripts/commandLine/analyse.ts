/** What comes after a training: its evaluation, its index, the comparison of its seeds. Each is the work of its own command. */
import { isLazyscopeError, LazyscopeError } from '../../sae/errors.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { withDefaults } from './jobCommand.ts';
import type { Outcome, Session } from './runCommand.ts';

interface Step {
  /** The command that does the same. */
  command: string;
  work: (session: Session) => Promise<Outcome>;
}

export interface Analysis {
  documents: Record<string, unknown>;
  texts: string[];
  /** What did not succeed: everything else did, and the training is left as it is. */
  failure: LazyscopeError | undefined;
}

/** The steps by the names that the document has for them; runs of one seed have no pair to compare. */
function stepsFor(runs: readonly RunManifest[]): Map<string, Step> {
  const names = runs.map(({ name }) => name);
  const pairs = runs.filter(({ config }) => config.seeds.length > 1).map(({ name }) => name);
  const steps = new Map<string, Step>([
    [
      'evaluated',
      {
        command: `evaluate ${names.join(' ')}`,
        work: async (session) =>
          (await import('../commands/evaluate.ts')).run(session, withDefaults('evaluate', { run: names })),
      },
    ],
    [
      'indexed',
      {
        command: `index ${names.join(' ')}`,
        work: async (session) =>
          (await import('../commands/index.ts')).run(session, withDefaults('index', { run: names })),
      },
    ],
  ]);
  for (const [at, name] of pairs.entries())
    steps.set(pairs.length === 1 ? 'compared' : `compared ${at + 1}`, {
      command: `compare ${name}`,
      work: async (session) =>
        (await import('../commands/compare.ts')).run(session, withDefaults('compare', { a: name })),
    });
  return steps;
}

/** How many parts the whole has: the training and what comes after it. */
export function partsOf(runs: readonly { seeds: readonly number[] }[]): number {
  return 3 + runs.filter(({ seeds }) => seeds.length > 1).length;
}

/** The session of one part: its progress says which of how many. */
export function partOf(session: Session, part: number, parts: number): Session {
  return {
    ...session,
    report: (progress) => session.report({ ...progress, stage: `${part}/${parts} ${progress.stage}` }),
  };
}

/**
 * Does every step, also after one that failed, since none needs another. Throws only what is no refusal: a stop by the
 * user, or a bug.
 */
export async function analyse(session: Session, runs: readonly RunManifest[]): Promise<Analysis> {
  const steps = stepsFor(runs);
  const failed: { command: string; error: LazyscopeError }[] = [];
  const analysis: Analysis = { documents: {}, texts: [], failure: undefined };
  let part = 1;
  for (const [name, { command, work }] of steps) {
    part++;
    try {
      const { document, text } = await work(partOf(session, part, steps.size + 1));
      analysis.documents[name] = document;
      analysis.texts.push(text);
    } catch (error) {
      if (!isLazyscopeError(error) || error.code === 'cancelled') throw error;
      failed.push({ command, error });
    }
  }
  const [first] = failed;
  if (first)
    analysis.failure = new LazyscopeError(
      first.error.code,
      `${runs.length === 1 ? `Run '${runs[0].name}' is` : 'The runs are'} trained and kept, but '${failed.map(({ command }) => command).join("' and '")}' did not succeed: ${first.error.message}`,
      { cause: first.error },
    );
  return analysis;
}
