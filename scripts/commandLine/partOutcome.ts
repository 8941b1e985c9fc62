/** What a command prints that did one part of its work. */
import { LazyscopeError } from '../../sae/errors.ts';
import { parsePart, partRule, printPart, type Part } from '../../sae/spec/part.ts';
import { rankPart } from './rankPart.ts';
import type { Outcome } from './runCommand.ts';

/** Undefined where none is asked for. Throws 'bad_input' for what is no part, and for 'rank' where nothing has given this process one. */
export function partGiven(text: string | undefined): Part | undefined {
  if (text === undefined) return undefined;
  const part = text === 'rank' ? rankPart(process.env) : parsePart(text);
  if (!part) throw new LazyscopeError('bad_input', `--part ${partRule}, but got '${text}'.`);
  return part;
}

/** Does a part of each piece of work, one after another. */
export async function partOutcome(
  part: Part,
  work: readonly (() => Promise<{ blocks: number; made: number }>)[],
): Promise<Outcome> {
  const started = performance.now();
  let [blocks, made] = [0, 0];
  for (const one of work) {
    const done = await one();
    blocks += done.blocks;
    made += done.made;
  }
  const seconds = (performance.now() - started) / 1000;
  return {
    document: { part: printPart(part), blocks, made, seconds },
    text: `Part ${printPart(part)}: ${blocks} blocks, of which ${made} were made now in ${seconds.toFixed(1)} s. The same command without --part puts the parts together.`,
  };
}
