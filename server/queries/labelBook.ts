/** Names and notes that people give to features. */
import { z } from 'zod';
import type { Label, LabelInput, LabelListInput } from '../contract/labels.ts';
import type { Database } from '../database.ts';

const rowSchema = z.object({
  run: z.string(),
  seed: z.number(),
  latent: z.number(),
  label: z.string(),
  note: z.string(),
  updatedAt: z.string(),
});

export class LabelBook {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Stores a label and a note. Returns null when both are empty, which removes the entry. */
  async set({ run, seed, latent, label, note }: LabelInput): Promise<Label | null> {
    if (label === '' && note === '') {
      await this.#database.query(
        'DELETE FROM labels WHERE run = $run AND seed = $seed AND latent = $latent',
        { run, seed, latent },
      );
      return null;
    }
    const row = { run, seed, latent, label, note, updatedAt: new Date().toISOString() };
    await this.#database.query(
      'INSERT OR REPLACE INTO labels VALUES ($run, $seed, $latent, $label, $note, $updatedAt)',
      row,
    );
    return row;
  }

  async list({ run, seed }: LabelListInput): Promise<Label[]> {
    const rows = await this.#database.query(
      `SELECT * FROM labels WHERE ($run IS NULL OR run = $run) AND ($seed IS NULL OR seed = $seed)
       ORDER BY run, seed, latent`,
      { run: run ?? null, seed: seed ?? null },
    );
    return rows.map((row) => rowSchema.parse(row));
  }
}
