/** The record of everything that clients changed: one JSON line a mutation, in audit.jsonl of the data folder. */
import { appendFile } from 'node:fs/promises';
import type { Role } from './guard.ts';

/** A mutation that a client called. */
export interface AuditEntry {
  /** When it was answered, ISO 8601. */
  at: string;
  /** The procedure, for example `jobs.start`. */
  procedure: string;
  role: Role;
  /** The address that the client called from; null where the server could not tell. */
  address: string | null;
  ok: boolean;
  /** What the client sent, cut after `longestInput` characters of JSON. */
  input: string;
}

const longestInput = 2_000;

/** Appends entries one after the other. A line that can't be written is reported by `failed` and doesn't undo the mutation. */
export class AuditLog {
  readonly #path: string;
  readonly #failed: (error: unknown) => void;
  #last: Promise<void> = Promise.resolve();

  constructor(path: string, failed: (error: unknown) => void) {
    this.#path = path;
    this.#failed = failed;
  }

  record({ input, ...entry }: Omit<AuditEntry, 'at' | 'input'> & { input: unknown }): Promise<void> {
    const text = JSON.stringify(input) ?? 'null';
    const cut = text.length > longestInput ? `${text.slice(0, longestInput)}…` : text;
    const line = JSON.stringify({ at: new Date().toISOString(), ...entry, input: cut } satisfies AuditEntry);
    this.#last = this.#last.then(() => appendFile(this.#path, `${line}\n`)).catch(this.#failed);
    return this.#last;
  }
}
