/** Activations in a Parquet file: columns of lists of numbers, or of lists of lists for contexts. */
import { LazyscopeError } from '../../errors.ts';
import { ParquetNumbers, type EvenColumn } from '../../store/parquetNumbers.ts';
import {
  pieceNumbers,
  type ActivationPiece,
  type ActivationReader,
  type ChosenColumns,
} from './activationSource.ts';
import { tokenIds } from './tokenIds.ts';

/** Throws as `ParquetNumbers` does. */
export async function parquetActivations(path: string): Promise<ActivationReader> {
  const file = await ParquetNumbers.open(path);
  return {
    path,
    columns: file.columns,
    pieces: (chosen) => piecesOf(file, chosen),
    close: async () => file.close(),
  };
}

async function* piecesOf(
  file: ParquetNumbers,
  chosen: ChosenColumns,
): AsyncGenerator<ActivationPiece, void, void> {
  const activations: (EvenColumn & { positions: number; width: number })[] = [];
  for (const name of chosen.activations) {
    const column = await file.measure(name);
    const [positions, width] = column.axes === 2 ? [1, column.lengths[0]] : column.lengths;
    activations.push({ ...column, positions, width });
  }
  const tokens = chosen.tokens === null ? null : await file.measure(chosen.tokens);
  const [{ positions }] = activations;
  for (const each of [...activations, ...(tokens ? [{ ...tokens, positions: tokens.lengths[0] ?? 1 }] : [])])
    if (each.positions !== positions)
      throw new LazyscopeError(
        'bad_input',
        `Column '${each.name}' of '${file.path}' has ${each.positions} positions a row where '${activations[0].name}' has ${positions}: save as many of each.`,
      );
  const widest = Math.max(...activations.map(({ width }) => width));
  if (positions * widest === 0) return;
  const contexts = Math.max(1, Math.floor(pieceNumbers / 4 / (positions * widest)));
  const streams = activations.map((column) => file.numbers(column, contexts * positions * column.width));
  const ids = tokens && file.numbers(tokens, contexts * positions);
  for (;;) {
    const blocks: Float64Array[] = [];
    for (const stream of streams) {
      const { done, value } = await stream.next();
      if (!done) blocks.push(value);
    }
    if (blocks.length === 0) return;
    const some = await ids?.next();
    yield {
      contexts: blocks[0].length / (positions * activations[0].width),
      positions,
      activations: new Map(
        activations.map(({ name, width }, i) => [name, { width, values: Float32Array.from(blocks[i]) }]),
      ),
      tokens: tokens && tokenIds(some?.value ?? [], file.path, tokens.name),
    };
  }
}
