/**
 * Where each weight of a model is. Every tensor the model needs must be there with the right shape, and nothing may be
 * left over: a tensor nobody reads means that the model is not the one its config.json describes.
 */
import { LazyscopeError } from '../errors.ts';
import type { ParameterShapes, WeightNaming } from './families/storedModules.ts';
import type { WeightSource } from './weightSource.ts';

export interface LocatedWeight {
  file: WeightSource;
  /** Its name in the file. */
  stored: string;
}

/** Reads no weight. Each problem is an error `bad_input` that names a tensor; `source` names the model in it. */
export function locateWeights(
  files: readonly WeightSource[],
  source: string,
  shapes: ParameterShapes,
  naming: WeightNaming,
): {
  located: Map<string, LocatedWeight>;
  /** A tensor that repeats a weight, by the configuration's account; whether it does is not looked at. */
  copy: { copy: LocatedWeight; of: LocatedWeight } | undefined;
  problems: LazyscopeError[];
} {
  const located = new Map<string, LocatedWeight>();
  const unexpected: string[] = [];
  let copied: LocatedWeight | undefined;
  for (const file of files) {
    for (const stored of file.names) {
      if (naming.ignored.test(stored)) continue;
      if (stored === naming.copy?.name) {
        copied = { file, stored };
        continue;
      }
      const now = renamed(stored, naming);
      const name = shapes.has(now) ? now : naming.prefix + now;
      if (shapes.has(name)) located.set(name, { file, stored });
      else unexpected.push(stored);
    }
  }
  const missing = [...shapes.keys()].filter((name) => !located.has(name));
  const problems: LazyscopeError[] = [];
  const problem = (why: string) => problems.push(new LazyscopeError('bad_input', why));
  if (missing.length === 1 && missing[0] === naming.unembedding)
    problem(
      `The weights in '${source}' were saved from the bare decoder and lack the unembedding '${missing[0]}': fetch the whole model.`,
    );
  else if (missing.length > 0) problem(`The weights in '${source}' lack ${list(missing)}: fetch them again.`);
  if (unexpected.length > 0)
    problem(
      `The weights in '${source}' have tensors that its config.json does not account for: ${list(unexpected)}.`,
    );
  for (const [name, shape] of shapes) {
    const place = located.get(name);
    if (!place) continue;
    const { file, stored } = place;
    const actual = file.shape(stored);
    if (actual.join() !== shape.join())
      problem(
        `'${stored}' of '${file.path}' has shape [${actual.join(', ')}]; config.json makes it [${shape.join(', ')}].`,
      );
  }
  const of = naming.copy && located.get(naming.copy.of);
  return { located, copy: copied && of && { copy: copied, of }, problems };
}

function list(names: string[]): string {
  const shown = names.slice(0, 3).map((name) => `'${name}'`);
  return names.length > 3 ? `${shown.join(', ')} and ${names.length - 3} more` : shown.join(', ');
}

function renamed(stored: string, { renamed: names = {} }: WeightNaming): string {
  const old = Object.keys(names).find((end) => stored.endsWith(end));
  return old === undefined ? stored : stored.slice(0, -old.length) + names[old];
}
