/** Typed access to the metadata of a GGUF file; what is asked for is remembered, so that what nobody reads can be refused. */
import { LazyscopeError } from '../../errors.ts';
import type { GgufFile } from '../../formats/gguf/ggufFile.ts';

export class GgufFields {
  readonly architecture: string;
  readonly #file: GgufFile;
  readonly #read = new Set<string>();

  /** Throws `bad_input` for a file that doesn't name its architecture. */
  constructor(file: GgufFile) {
    this.#file = file;
    this.architecture = this.text('general.architecture');
  }

  refuse(why: string): LazyscopeError {
    return new LazyscopeError('bad_input', `'${this.#file.path}' ${why}.`);
  }

  text(key: string): string {
    return this.optionalText(key) ?? this.#missing(key);
  }
  optionalText(key: string): string | undefined {
    const value = this.#get(key);
    if (value !== undefined && typeof value !== 'string') throw this.refuse(`has '${key}', which is no text`);
    return value;
  }
  number(key: string): number {
    return this.optionalNumber(key) ?? this.#missing(key);
  }
  optionalNumber(key: string): number | undefined {
    const value = this.#get(key);
    if (value !== undefined && typeof value !== 'number')
      throw this.refuse(`has '${key}', which is no single number`);
    return value;
  }
  flag(key: string): boolean | undefined {
    const value = this.#get(key);
    if (value !== undefined && typeof value !== 'boolean')
      throw this.refuse(`has '${key}', which is neither true nor false`);
    return value;
  }
  texts(key: string): string[] {
    const value = this.#get(key);
    if (value === undefined) return this.#missing(key);
    if (!Array.isArray(value)) throw this.refuse(`has '${key}', which is no list of texts`);
    return value.map((entry) => {
      if (typeof entry !== 'string') throw this.refuse(`has '${key}', which is no list of texts`);
      return entry;
    });
  }
  optionalNumbers(key: string): number[] | undefined {
    const value = this.#get(key);
    if (value === undefined) return undefined;
    if (!ArrayBuffer.isView(value)) throw this.refuse(`has '${key}', which is no list of numbers`);
    return Array.from(value);
  }

  /** The key of this architecture: `llama.` in front. */
  own(key: string): string {
    return `${this.architecture}.${key}`;
  }

  /** Throws `bad_input` when the architecture has a field that was not read: it may change what the model computes. */
  refuseUnread(harmless: readonly string[]): void {
    const prefix = this.own('');
    const known = new Set(harmless.map((key) => this.own(key)));
    for (const key of this.#file.metadata.keys())
      if (key.startsWith(prefix) && !this.#read.has(key) && !known.has(key))
        throw this.refuse(
          `has the field '${key}', which may change what the model computes and isn't known: use the model's folder in Hugging Face layout`,
        );
  }

  #get(key: string) {
    this.#read.add(key);
    return this.#file.metadata.get(key);
  }
  #missing(key: string): never {
    throw this.refuse(
      `lacks the field '${key}': it is not the file of a language model, or convert it again`,
    );
  }
}
