/**
 * When a tidy ends, TF.js looks for tensors in what it returns, and walks through a typed array number by number, with a Set of
 * all of them: a Float32Array of a million numbers costs a second of processor time and a hundred megabytes. No tensor is ever in one.
 */
import type * as Tf from '@tensorflow/tfjs-core';

/** Makes the engine look past the numbers of typed arrays, wherever in a result they are. Everything else is found as before. */
export function quickenScopeEnds(
  engine: ReturnType<typeof Tf.engine>,
  isTensor: (of: unknown) => of is Tf.Tensor,
): void {
  const end = engine.endScope.bind(engine);
  engine.endScope = (result) => end(tensorsIn(result, isTensor));
}

function tensorsIn(result: unknown, isTensor: (of: unknown) => of is Tf.Tensor): Tf.Tensor[] {
  const found: Tf.Tensor[] = [];
  const seen = new Set<object>();
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value)) return;
    seen.add(value);
    if (isTensor(value)) found.push(value);
    // Inherited properties too, as TF.js does.
    else for (const key in value) walk((value as Record<string, unknown>)[key]);
  };
  walk(result);
  return found;
}
