/** Named lists of features, which people keep. They are in the database, of which this server is the only writer. */
import { z } from 'zod';
import { LazyscopeError } from '../../sae/errors.ts';
import { mostListed, mostLists, type FeatureList, type ListMembersInput } from '../contract/lists.ts';
import type { FeatureInput } from '../contract/features.ts';
import type { LabelDatabase } from '../database.ts';

const listSchema = z.object({ name: z.string(), note: z.string(), createdAt: z.string() });
const memberSchema = z.object({ list: z.string(), run: z.string(), seed: z.number(), latent: z.number() });

interface List {
  name: string;
  note: string;
  createdAt: string;
  /** By key, in the order in which they joined. */
  members: Map<string, FeatureInput>;
}

export class ListBook {
  readonly #database: LabelDatabase;
  #lists: Promise<Map<string, List>> | undefined;
  #generation = 0;

  constructor(database: LabelDatabase) {
    this.#database = database;
  }

  /** By name. */
  async all(): Promise<FeatureList[]> {
    return [...(await this.#read()).values()]
      .map(({ name, note, createdAt, members }) => ({ name, note, createdAt, features: members.size }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The features of a list, in the order in which they joined. Throws 'not_found'. */
  async members(name: string): Promise<FeatureInput[]> {
    return [...(await this.#list(name)).members.values()];
  }

  /** The names of the lists that a feature is on. */
  async of(feature: FeatureInput): Promise<string[]> {
    return this.#namesOf(await this.#read(), feature);
  }

  /** The same for many features. */
  async ofEach(features: readonly FeatureInput[]): Promise<string[][]> {
    const lists = await this.#read();
    return features.map((feature) => this.#namesOf(lists, feature));
  }

  #namesOf(lists: ReadonlyMap<string, List>, feature: FeatureInput): string[] {
    const key = keyOf(feature);
    return [...lists.values()]
      .filter(({ members }) => members.has(key))
      .map(({ name }) => name)
      .sort();
  }

  /** Adds features, and makes the list where it isn't there. Those that are on it stay in their place. Throws 'bad_input' beyond the limits. */
  async add({ name, features }: ListMembersInput): Promise<FeatureList> {
    const lists = await this.#read();
    const list: List = lists.get(name) ?? {
      name,
      note: '',
      createdAt: new Date().toISOString(),
      members: new Map(),
    };
    const isNew = !lists.has(name);
    if (isNew && lists.size >= mostLists)
      throw new LazyscopeError(
        'bad_input',
        `There are ${mostLists} lists, the most there can be: remove one.`,
      );
    // In the order in which the database gives those that joined at the same time.
    const sorted = [...features].sort(
      (a, b) => (a.run < b.run ? -1 : a.run > b.run ? 1 : 0) || a.seed - b.seed || a.latent - b.latent,
    );
    const joining = new Map(sorted.map((one) => [keyOf(one), one]));
    for (const key of list.members.keys()) joining.delete(key);
    if (list.members.size + joining.size > mostListed)
      throw new LazyscopeError(
        'bad_input',
        `The list '${name}' would have more than ${mostListed} features.`,
      );
    const addedAt = new Date().toISOString();
    await this.#database.transaction([
      ...(isNew
        ? [
            {
              sql: 'INSERT OR IGNORE INTO lists VALUES ($name, $note, $createdAt)',
              params: { name, note: list.note, createdAt: list.createdAt },
            },
          ]
        : []),
      ...[...joining.values()].map(({ run, seed, latent }) => ({
        sql: 'INSERT OR IGNORE INTO "listedFeatures" VALUES ($name, $run, $seed, $latent, $addedAt)',
        params: { name, run, seed, latent, addedAt },
      })),
    ]);
    // Another server may have changed the list meanwhile.
    if (this.#generation !== this.#database.generation) return described(await this.#list(name));
    for (const [key, feature] of joining) list.members.set(key, feature);
    lists.set(name, list);
    return described(list);
  }

  /** Takes features off a list; those that aren't on it don't matter. Throws 'not_found'. */
  async take({ name, features }: ListMembersInput): Promise<FeatureList> {
    const list = await this.#list(name);
    await this.#database.transaction(
      features.map(({ run, seed, latent }) => ({
        sql: 'DELETE FROM "listedFeatures" WHERE list = $name AND run = $run AND seed = $seed AND latent = $latent',
        params: { name, run, seed, latent },
      })),
    );
    if (this.#generation !== this.#database.generation) return described(await this.#list(name));
    for (const feature of features) list.members.delete(keyOf(feature));
    return described(list);
  }

  /** Throws 'not_found'. */
  async note(name: string, note: string): Promise<FeatureList> {
    const list = await this.#list(name);
    await this.#database.transaction([
      { sql: 'UPDATE lists SET note = $note WHERE name = $name', params: { name, note } },
    ]);
    if (this.#generation !== this.#database.generation) return described(await this.#list(name));
    list.note = note;
    return described(list);
  }

  /** Removes a list; its features stay what they are. Throws 'not_found'. */
  async remove(name: string): Promise<void> {
    await this.#list(name);
    await this.#database.transaction([
      { sql: 'DELETE FROM "listedFeatures" WHERE list = $name', params: { name } },
      { sql: 'DELETE FROM lists WHERE name = $name', params: { name } },
    ]);
    (await this.#read()).delete(name);
  }

  async #list(name: string): Promise<List> {
    const list = (await this.#read()).get(name);
    if (!list)
      throw new LazyscopeError('not_found', `There is no list '${name}': adding a feature to it makes it.`);
    return list;
  }

  #read(): Promise<Map<string, List>> {
    if (this.#generation !== this.#database.generation) this.#lists = undefined;
    this.#generation = this.#database.generation;
    this.#lists ??= this.#readAll().catch((error: unknown) => {
      this.#lists = undefined;
      throw error;
    });
    return this.#lists;
  }

  async #readAll(): Promise<Map<string, List>> {
    const rows = await this.#database.query('SELECT * FROM lists');
    const lists = new Map(
      rows.map((row) => {
        const list = listSchema.parse(row);
        return [list.name, { ...list, members: new Map<string, FeatureInput>() }];
      }),
    );
    const members = await this.#database.query(
      'SELECT * FROM "listedFeatures" ORDER BY "addedAt", run, seed, latent',
    );
    for (const row of members) {
      const { list, ...feature } = memberSchema.parse(row);
      lists.get(list)?.members.set(keyOf(feature), feature);
    }
    return lists;
  }
}

const described = ({ name, note, createdAt, members }: List): FeatureList => ({
  name,
  note,
  createdAt,
  features: members.size,
});

const keyOf = ({ run, seed, latent }: FeatureInput) => `${run}/${seed}/${latent}`;
