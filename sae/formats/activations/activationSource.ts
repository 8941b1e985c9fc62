/**
 * Activations that another program computed, a piece at a time. A source is one or several files, or a stream; a piece holds
 * consecutive contexts. Values are [contexts × positions × width], and where a file holds rows of single vectors, a context has
 * one position. Readers of the kinds of files are beside this file; `openActivations.ts` chooses between them.
 */
import { LazyscopeError } from '../../errors.ts';
import { hookPointFrom } from '../hookNames.ts';

/** Consecutive contexts. */
export interface ActivationPiece {
  contexts: number;
  /** Tokens of a context, the same for each of the piece. */
  positions: number;
  /** [contexts × positions × width], by column. */
  activations: ReadonlyMap<string, { width: number; values: Float32Array }>;
  /** [contexts × positions]; null where the source has none. */
  tokens: Int32Array | null;
}

/** A column of a table, or a named array. */
export interface ActivationColumn {
  name: string;
  /** Floating-point numbers or whole ones. */
  numbers: 'float' | 'integer';
  /** The axes, that of the rows included: 2 for [rows, width] and [rows, positions], 3 for [contexts, positions, width]. */
  axes: number;
}

export interface ChosenColumns {
  activations: readonly string[];
  tokens: string | null;
}

/** A file or stream, open for reading. */
export interface ActivationReader {
  /** What it is called in messages. */
  readonly path: string;
  readonly columns: readonly ActivationColumn[];
  /** Throws `corrupt` where it is damaged or cut short, and `bad_input` for what can't be read. */
  pieces(chosen: ChosenColumns): AsyncGenerator<ActivationPiece, void, void>;
  close(): Promise<void>;
}

/** Contexts and positions of a piece are bounded by about this many numbers a column. */
export const pieceNumbers = 1 << 22;

const tokenNames = ['tokens', 'token_ids', 'input_ids', 'token'];
const activationNames = ['activations', 'activation', 'acts'];

/**
 * Which column holds which hook's activations: the one of its name (in this product's spelling or another tool's), or for one hook the
 * one that was asked for, one called activations, or the only one that can be it. The column of tokens is known by its name.
 * Throws `bad_input`, naming the columns.
 */
export function chooseColumns(
  { path, columns }: Pick<ActivationReader, 'path' | 'columns'>,
  hooks: readonly string[],
  asked?: string,
): ChosenColumns {
  const floats = columns.filter(({ numbers, axes }) => numbers === 'float' && (axes === 2 || axes === 3));
  const known = columns.map(({ name, numbers, axes }) => `'${name}' (${numbers}, ${axes} axes)`).join(', ');
  const refuse = (message: string) =>
    new LazyscopeError('bad_input', `${message}; '${path}' has ${known === '' ? 'no columns' : known}.`);
  const named = (name: string) => floats.find((column) => column.name === name)?.name;
  const tokens =
    columns.find(({ name, numbers }) => numbers === 'integer' && tokenNames.includes(name))?.name ?? null;
  if (asked !== undefined) {
    if (hooks.length > 1)
      throw new LazyscopeError(
        'bad_input',
        `--column names one column for ${hooks.length} hook points: name the columns after their hook points instead.`,
      );
    const column = named(asked);
    if (column === undefined) throw refuse(`'${asked}' is no column of vectors of floating-point numbers`);
    return { activations: [column], tokens };
  }
  const activations = hooks.map((hook) => {
    const own = named(hook) ?? floats.find(({ name }) => hookPointFrom(name) === hook)?.name;
    if (own !== undefined) return own;
    const usual = activationNames.map(named).find((name) => name !== undefined);
    const only = floats.length === 1 && hookPointFrom(floats[0].name) === null ? floats[0].name : undefined;
    const standIn = hooks.length === 1 ? (usual ?? only) : undefined;
    if (standIn === undefined)
      throw refuse(
        hooks.length > 1
          ? `No column of vectors is called '${hook}'`
          : `Which column holds '${hook}' is not clear: name it with --column`,
      );
    return standIn;
  });
  return { activations, tokens };
}
