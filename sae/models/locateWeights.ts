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
): { located: Map<string, LocatedWeight>; problems: LazyscopeError[] } {
  const located = new Map<string, LocatedWeight>();
  const unexpected: string[] = [];
  for (const file of files) {
    for (const stored of file.names) {
      if (naming.ignored.test(stored)) continue;
      const name = shapes.has(stored) ? stored : naming.prefix + stored;
      if (shapes.has(name)) located.set(name, { file, stored });
      else unexpected.push(stored);
    }
  }
  const missing = [...shapes.keys()].filter((name) => !located.has(name));
  const problems: LazyscopeError[] = [];
  const problem = (why: string) => problems.push(new LazyscopeError('bad_input', why));
  if (missing.length > 0) problem(`The weights in '${source}' lack ${list(missing)}: fetch them again.`);
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
  return { located, problems };
}

function list(names: string[]): string {
  const shown = names.slice(0, 3).map((name) => `'${name}'`);
  return names.length > 3 ? `${shown.join(', ')} and ${names.length - 3} more` : shown.join(', ');
}
