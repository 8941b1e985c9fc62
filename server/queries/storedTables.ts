/** Every table of the store that can be fetched whole: by which parameters its file is named, where it lies, and what its columns are. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { LazyscopeError } from '../../sae/errors.ts';
import { exampleTable } from '../../sae/spec/tables/examples.ts';
import { featureTable } from '../../sae/spec/tables/features.ts';
import { labelMethods, labelTable } from '../../sae/spec/tables/labels.ts';
import { layerShareTable } from '../../sae/spec/tables/layerShares.ts';
import { loadingTable } from '../../sae/spec/tables/loadings.ts';
import { mapTable } from '../../sae/spec/tables/dictionaryMap.ts';
import { matchTable } from '../../sae/spec/tables/matches.ts';
import { flowTable } from '../../sae/spec/tables/flows.ts';
import { reproducibilityTable } from '../../sae/spec/tables/reproducibility.ts';
import { reproducibilityCurveTable } from '../../sae/spec/tables/reproducibilityCurve.ts';
import { sharedCurveTable } from '../../sae/spec/tables/sharedCurve.ts';
import { sparsityTables, type SparsityTableName } from '../../sae/spec/tables/sparsityTables.ts';
import { stabilityTable } from '../../sae/spec/tables/stability.ts';
import type { Table } from '../../sae/spec/tables/table.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import type { ServerContext } from '../context.ts';
import { indexNumber, seedNumber, storeName } from '../contract/limits.ts';
import { comparisonManifest } from './comparisons.ts';
import { runManifest, runWithSeed } from './dictionaries.ts';
import { reportOf } from './sparsity.ts';

/** The numbers of an address, which are texts there. */
const inAddress = (schema: z.ZodType<number, number>) =>
  z
    .string()
    .regex(/^\d{1,10}$/, 'must be a whole number')
    .transform(Number)
    .pipe(schema);

/** What names a table's file. */
const parameters = {
  dictionary: { run: storeName, seed: inAddress(seedNumber) },
  run: { run: storeName },
  comparison: { comparison: storeName },
  report: { report: storeName },
} as const;
type Of = keyof typeof parameters;
type Named<Kind extends Of> = z.infer<z.ZodObject<(typeof parameters)[Kind]>>;

export interface StoredTable {
  /** What it is a table of. */
  of: Of;
  doc: string;
  table: Table;
  /** How the file is made. */
  made: string;
}

interface Place<Kind extends Of> extends Omit<StoredTable, 'of'> {
  path: (store: StoreLayout, named: Named<Kind>) => string;
}

const one = <Kind extends Of>(of: Kind, place: Place<Kind>) => ({ of, ...place });

const index = 'lazyscope index RUN';
const compare = 'lazyscope compare RUN';
const reproducibility = 'lazyscope reproducibility RUN';

const sparsityDocs = {
  layers: 'activation ratio by layer and position',
  neurons: 'one row a neuron',
  curves: 'CETT against the share of neurons left active, by layer',
  tokens: 'one row a token of the vocabulary that occurs',
  examples: 'stretches of text around the strongest activations of neurons',
  tradeoff: 'what masking neurons costs, by method and share',
} as const satisfies Record<SparsityTableName, string>;

const sparsity = Object.fromEntries(
  (Object.keys(sparsityTables) as SparsityTableName[]).map((name) => [
    `sparsity-${name}`,
    one('report', {
      doc: sparsityDocs[name],
      table: sparsityTables[name],
      made: 'lazyscope sparsity',
      path: (store, { report }) => store.sparsityTable(report, name),
    }),
  ]),
) as Record<`sparsity-${SparsityTableName}`, ReturnType<typeof one<'report'>>>;

const tables = {
  features: one('dictionary', {
    doc: 'one row a latent',
    table: featureTable,
    made: index,
    path: (store, { run, seed }) => store.features(run, seed),
  }),
  examples: one('dictionary', {
    doc: 'stretches of text around activations of latents',
    table: exampleTable,
    made: index,
    path: (store, { run, seed }) => store.examples(run, seed),
  }),
  loadings: one('dictionary', {
    doc: 'the neurons aligned with each latent',
    table: loadingTable,
    made: index,
    path: (store, { run, seed }) => store.loadings(run, seed),
  }),
  layers: one('dictionary', {
    doc: 'of crosscoders: how much of each latent is at each hook point',
    table: layerShareTable,
    made: index,
    path: (store, { run, seed }) => store.layerShares(run, seed),
  }),
  stability: one('dictionary', {
    doc: 'in how many other seeds each latent is shared',
    table: stabilityTable,
    made: compare,
    path: (store, { run, seed }) => store.stability(run, seed),
  }),
  reproducibility: one('dictionary', {
    doc: 'how likely each latent is to come back in another seed',
    table: reproducibilityTable,
    made: reproducibility,
    path: (store, { run, seed }) => store.reproducibilityOfSeed(run, seed),
  }),
  flows: one('dictionary', {
    doc: 'where the transport sends each latent in the other seeds',
    table: flowTable,
    made: 'lazyscope matchings RUN',
    path: (store, { run, seed }) => store.flows(run, seed),
  }),
  ...Object.fromEntries(
    labelMethods.map((method) => [
      `labels-${method}`,
      one('dictionary', {
        doc: `labels made automatically, from the ${method}, with their scores`,
        table: labelTable,
        made: 'lazyscope label RUN',
        path: (store, { run, seed }) => store.automaticLabels(run, seed, method),
      }),
    ]),
  ),
  'reproducibility-curve': one('run', {
    doc: 'share of latents that come back, against the threshold',
    table: reproducibilityCurveTable,
    made: reproducibility,
    path: (store, { run }) => store.reproducibilityCurve(run),
  }),
  matches: one('comparison', {
    doc: 'the counterpart of each latent of the first dictionary',
    table: matchTable,
    made: compare,
    path: (store, { comparison }) => store.comparisonMatches(comparison),
  }),
  'shared-curve': one('comparison', {
    doc: 'shared fraction against the threshold',
    table: sharedCurveTable,
    made: compare,
    path: (store, { comparison }) => store.comparisonCurve(comparison),
  }),
  map: one('comparison', {
    doc: 'latents of both dictionaries laid out in the plane',
    table: mapTable,
    made: 'lazyscope map COMPARISON',
    path: (store, { comparison }) => store.comparisonMap(comparison),
  }),
  ...sparsity,
};

/** All tables, by the names that addresses have. */
export const storedTables: Readonly<Record<string, StoredTable>> = tables;

/** What an address may ask of a table besides naming it: some columns, and the rows of one latent, layer or neuron. */
const selection = {
  columns: z.string().optional(),
  latent: inAddress(indexNumber).optional(),
  layer: inAddress(indexNumber).optional(),
  neuron: inAddress(indexNumber).optional(),
};

export interface TableRequest {
  path: string;
  /** The columns asked for, in the order of the file. */
  table: Table;
  /** What these columns of a row must be. */
  where: Readonly<Record<string, number>>;
  /** Whether all rows and columns are asked for. */
  whole: boolean;
  /** The name of a file for the answer, without its ending. */
  fileName: string;
}

/**
 * What an address such as `features?run=demo&seed=0&columns=latent,density` asks for. Throws a ZodError for a missing, unknown or malformed
 * parameter, 'bad_input' for a column that the table lacks, and 'not_found' for an unknown table or one that isn't made yet.
 */
export async function tableRequest(
  server: ServerContext,
  name: string,
  query: Readonly<Record<string, string>>,
): Promise<TableRequest> {
  const found = Object.hasOwn(tables, name) ? tables[name as keyof typeof tables] : undefined;
  if (!found)
    throw new LazyscopeError(
      'not_found',
      `There is no table '${name}': there are ${Object.keys(tables).join(', ')}.`,
    );
  const { path, named } = await placeOf(server, found, query);
  const { columns, ...where } = z.object(selection).parse(query);
  const known = Object.keys(found.table);
  const asked = columns?.split(',');
  const missing = [...(asked ?? []), ...Object.keys(where)].find((column) => !known.includes(column));
  if (missing !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `The table '${name}' has no column '${missing}': it has ${known.join(', ')}.`,
    );
  if (!existsSync(path))
    throw new LazyscopeError(
      'not_found',
      `The table '${name}' of ${named.join(', seed ')} isn't made yet: make it with '${found.made}'.`,
    );
  const table = Object.fromEntries(
    Object.entries(found.table).filter(([column]) => !asked || asked.includes(column)),
  );
  const rows = Object.entries(where).flatMap(([column, value]) => [column, String(value)]);
  const whole = asked === undefined && rows.length === 0;
  return { path, table, where, whole, fileName: [...named, name, ...rows].join('-') };
}

/** The file, when what it belongs to is in the store. */
async function placeOf(
  server: ServerContext,
  found: (typeof tables)[keyof typeof tables],
  query: Readonly<Record<string, string>>,
): Promise<{ path: string; named: string[] }> {
  const { store } = server;
  switch (found.of) {
    case 'dictionary': {
      const named = z.strictObject({ ...parameters.dictionary, ...selection }).parse(query);
      await runWithSeed(server, named);
      return { path: found.path(store, named), named: [named.run, String(named.seed)] };
    }
    case 'run': {
      const named = z.strictObject({ ...parameters.run, ...selection }).parse(query);
      await runManifest(server, named.run);
      return { path: found.path(store, named), named: [named.run] };
    }
    case 'comparison': {
      const named = z.strictObject({ ...parameters.comparison, ...selection }).parse(query);
      await comparisonManifest(server, named.comparison);
      return { path: found.path(store, named), named: [named.comparison] };
    }
    case 'report': {
      const named = z.strictObject({ ...parameters.report, ...selection }).parse(query);
      await reportOf(server, named.report);
      return { path: found.path(store, named), named: [named.report] };
    }
  }
}

export interface MadeTable {
  /** Its name among `storedTables`. */
  table: string;
  /** The parameters that name it. */
  of: Readonly<Record<string, string | number>>;
  path: string;
}

/** Every table of these runs, comparisons and sparsity reports that is made. */
export function madeTables(
  store: StoreLayout,
  named: {
    runs: readonly { name: string; seeds: readonly number[] }[];
    comparisons: readonly string[];
    reports: readonly string[];
  },
): MadeTable[] {
  const dictionaries = named.runs.flatMap(({ name, seeds }) => seeds.map((seed) => ({ run: name, seed })));
  const ofEach = (found: (typeof tables)[keyof typeof tables]): Omit<MadeTable, 'table'>[] => {
    switch (found.of) {
      case 'dictionary':
        return dictionaries.map((of) => ({ of, path: found.path(store, of) }));
      case 'run':
        return named.runs.map(({ name: run }) => ({ of: { run }, path: found.path(store, { run }) }));
      case 'comparison':
        return named.comparisons.map((comparison) => ({ of: { comparison }, path: found.path(store, { comparison }) })); // prettier-ignore
      case 'report':
        return named.reports.map((report) => ({ of: { report }, path: found.path(store, { report }) }));
    }
  };
  return Object.entries(tables).flatMap(([table, found]) =>
    ofEach(found)
      .filter(({ path }) => existsSync(path))
      .map((made) => ({ table, ...made })),
  );
}

/** The parameters of a table's address as OpenAPI names them, the required ones first. */
export function parametersOf({ of }: StoredTable): {
  required: readonly string[];
  optional: readonly string[];
} {
  return { required: Object.keys(parameters[of]), optional: Object.keys(selection) };
}
