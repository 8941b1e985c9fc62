/** Activations in named arrays (safetensors, npy, npz), read by ranges of rows. */
import { LazyscopeError } from '../../errors.ts';
import {
  pieceNumbers,
  type ActivationPiece,
  type ActivationReader,
  type ChosenColumns,
} from './activationSource.ts';
import type { NumberType } from './storedNumbers.ts';
import { tokenIds } from './tokenIds.ts';

export interface StoredArray {
  name: string;
  type: NumberType;
  shape: readonly number[];
  /** The bytes of `count` numbers from the `from`-th on, row-major. */
  read(from: number, count: number): ArrayBuffer;
}

/** A reader of arrays of one file. */
export function arrayActivations(path: string, arrays: readonly StoredArray[]): ActivationReader {
  return {
    path,
    columns: arrays.map(({ name, type, shape }) => ({ name, numbers: type.numbers, axes: shape.length })),
    pieces: (chosen) => piecesOf(path, arrays, chosen),
    close: async () => {},
  };
}

async function* piecesOf(
  path: string,
  arrays: readonly StoredArray[],
  chosen: ChosenColumns,
): AsyncGenerator<ActivationPiece, void, void> {
  const named = (name: string) => {
    const found = arrays.find((array) => array.name === name);
    if (!found) throw new LazyscopeError('bad_input', `'${path}' has no array '${name}'.`);
    return found;
  };
  const tokens = chosen.tokens === null ? null : named(chosen.tokens);
  const activations = chosen.activations.map((name) => ({
    ...named(name),
    ...placesOf(named(name), tokens),
  }));
  const [{ contexts, positions }] = activations;
  const refuse = (what: { name: string; shape: readonly number[] }) =>
    new LazyscopeError(
      'bad_input',
      `In '${path}' '${what.name}' is [${what.shape.join(', ')}] where '${activations[0].name}' is [${activations[0].shape.join(', ')}]: save as many rows of each.`,
    );
  for (const array of activations)
    if (array.contexts !== contexts || array.positions !== positions) throw refuse(array);
  if (tokens && sizeOf(tokens.shape) !== contexts * positions) throw refuse(tokens);
  const widest = Math.max(...activations.map(({ width }) => width));
  const step = Math.max(1, Math.floor(pieceNumbers / (positions * widest)));
  for (let from = 0; from < contexts; from += step) {
    const count = Math.min(step, contexts - from);
    yield {
      contexts: count,
      positions,
      activations: new Map(
        activations.map(({ name, width, type, read }) => {
          const numbers = positions * width;
          return [name, { width, values: type.floats(read(from * numbers, count * numbers)) }];
        }),
      ),
      tokens:
        tokens &&
        tokenIds(tokens.type.integers(tokens.read(from * positions, count * positions)), path, tokens.name),
    };
  }
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);

/** Rows [contexts · positions, width] beside tokens [contexts, positions] are contexts too. */
function placesOf({ shape }: StoredArray, tokens: StoredArray | null) {
  const [rows, second, width] = shape;
  if (width !== undefined) return { contexts: rows, positions: second, width };
  const [contexts, positions] = tokens?.shape ?? [];
  return positions !== undefined && contexts * positions === rows
    ? { contexts, positions, width: second }
    : { contexts: rows, positions: 1, width: second };
}
