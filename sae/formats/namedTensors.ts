/**
 * The tensors of another tool's dictionary by the names that the tool gave them. Whatever is read is checked to be finite,
 * and what nobody read is refused: a tensor that is left out may be what makes the dictionary compute something else.
 */
import { LazyscopeError } from '../errors.ts';

export interface ForeignMatrix {
  shape: readonly number[];
  data: Float32Array;
}

export class NamedTensors {
  /** The file, for errors. */
  readonly source: string;
  readonly names: readonly string[];
  readonly #read: (name: string) => ForeignMatrix;
  readonly #unread: Set<string>;

  constructor(source: string, names: readonly string[], read: (name: string) => ForeignMatrix) {
    this.source = source;
    this.names = names;
    this.#read = read;
    this.#unread = new Set(names);
  }

  has(name: string): boolean {
    return this.names.includes(name);
  }

  /** Throws `corrupt` when the file lacks the tensor, or holds a number in it that is not finite. */
  tensor(name: string): ForeignMatrix {
    if (!this.has(name))
      throw new LazyscopeError(
        'corrupt',
        `'${this.source}' has no tensor '${name}', so it is no known dictionary; it has ${this.names.join(', ')}.`,
      );
    this.#unread.delete(name);
    const found = this.#read(name);
    const at = found.data.findIndex((value) => !Number.isFinite(value));
    if (at >= 0)
      throw new LazyscopeError(
        'corrupt',
        `'${this.source}' holds ${found.data[at]} in tensor '${name}' (element ${place(at, found.shape)}): fetch it again, or repair it.`,
      );
    return found;
  }

  /** The number in a tensor of one element. Throws as `tensor`. */
  number(name: string): number {
    const { data, shape } = this.tensor(name);
    if (data.length !== 1)
      throw new LazyscopeError(
        'corrupt',
        `'${this.source}' has a tensor '${name}' of shape [${shape.join(', ')}] where one number was expected.`,
      );
    return data[0];
  }

  /** For tensors that say nothing which the dictionary's activations and reconstructions depend on. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.#unread.delete(name);
  }

  /** Throws `bad_input` when tensors are left that nobody read; `kind` is what the file was read as. */
  refuseUnread(kind: string): void {
    const unread = [...this.#unread].map((name) => `'${name}'`).join(', ');
    if (unread !== '')
      throw new LazyscopeError(
        'bad_input',
        `'${this.source}' was read as ${kind}, which has no ${unread}: it is another kind of dictionary, which can't be imported.`,
      );
  }
}

/** Row-major index → “[row, column]”. */
function place(index: number, shape: readonly number[]): string {
  const places: number[] = [];
  let rest = index;
  for (const size of [...shape].reverse()) {
    places.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `[${places.join(', ')}]`;
}
