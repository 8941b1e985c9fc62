/**
 * Sweeps from a YAML file: every combination of architectures, hooks and widths with each value of that
 * architecture's sparsity setting is a run; the seeds of a run are trained together.
 *
 *     capture: demo
 *     tokens: 1200000
 *     architectures: [relu, topk, jumprelu]
 *     hooks: [blocks.2.hook_resid_post]
 *     widths: [2048, 4096]
 *     k: [16, 32]                   # the lists that architectures' descriptions name: TopK's
 *     sparsityCoefficients: [5]     # λ of ReLU, and of JumpReLU without targetL0
 *     targetL0: [32]                # JumpReLU's, and ReLU's without sparsityCoefficients
 *     seeds: [0, 1, 2]
 *     decoderStarts: [random, pca]  # and encoderStarts, biasStarts, rowOrders; tokens may be a list too
 *     settings: { learningRate: 1e-3 }   # any other field of the configuration, for all runs
 */
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { widthOf } from '../activations/jointRows.ts';
import { openCapture } from '../activations/openCapture.ts';
import { LazyscopeError } from '../errors.ts';
import { checkName, type StoreLayout } from '../store/layout.ts';
import {
  type ArchitectureName,
  architectureNames,
  describedArchitecture,
  type TrainingConfig,
} from '../spec/architectures/architectures.ts';
import { fieldSchema, shapeOf } from '../spec/schema.ts';
import { startFields, type StartName, type StartSettings } from '../spec/startFields.ts';
import { trainingFields } from '../spec/trainingFields.ts';
import { defaultTrainingConfig } from './defaults.ts';

const listOf = <T extends z.ZodType>(item: T) => z.array(item).min(1);
const settingList = ['batchSize', 'learningRate', 'warmupSteps', 'decayFraction', 'deadAfter', 'checkpointEvery', 'logEvery'] as const; // prettier-ignore
const sweepSchema = z
  .object({
    /** What run names begin with. */
    name: z.string().default('sweep'),
    capture: z.string(),
    tokens: z.union([z.int().positive(), listOf(z.int().positive())]),
    architectures: listOf(z.enum(architectureNames as readonly [ArchitectureName, ...ArchitectureName[]])),
    hooks: listOf(z.string()),
    widths: listOf(fieldSchema(trainingFields.width)).optional(),
    seeds: listOf(z.int().nonnegative()).default([0]),
    decoderStarts: listOf(fieldSchema(startFields.decoderStart)).optional(),
    encoderStarts: listOf(fieldSchema(startFields.encoderStart)).optional(),
    biasStarts: listOf(fieldSchema(startFields.biasStart)).optional(),
    rowOrders: listOf(fieldSchema(startFields.rowOrder)).optional(),
    settings: z
      .strictObject(shapeOf(pick(trainingFields, settingList)))
      .partial()
      .default({}),
  })
  // What else is there is a list of an architecture, or a mistake.
  .catchall(z.unknown());
type Sweep = z.infer<typeof sweepSchema>;

function pick<T extends object, const Names extends readonly (keyof T)[]>(
  all: T,
  names: Names,
): Pick<T, Names[number]> {
  return Object.fromEntries(names.map((name) => [name, all[name]])) as Pick<T, Names[number]>;
}

/** One run of a sweep: what defaultTrainingConfig takes, except the width of the activations, which the capture knows. */
export interface SweepRun {
  name: string;
  architecture: ArchitectureName;
  options: Omit<Parameters<typeof defaultTrainingConfig>[1], 'd'>;
}

const mostBytes = 1 << 16;
const mostRuns = 10_000;
/** Lists in one another: a sweep has two, and the parser of YAML goes down by recursion. */
const deepest = 16;

/** Throws `bad_input` for a text that is longer or deeper than a sweep can be, before it is parsed. */
function refuseUnbounded(text: string): void {
  const refuse = (why: string) =>
    new LazyscopeError('bad_input', `The sweep ${why}: check that it is the file you mean.`);
  if (text.length > mostBytes) throw refuse(`has ${text.length} characters, where ${mostBytes} are the most`);
  for (const line of text.split('\n')) {
    const indent = /^ */.exec(line)?.[0].length ?? 0;
    const inLine = /^(?:\s*[-?:]\s+)*/.exec(line)?.[0].replaceAll(/\s/g, '').length ?? 0;
    if (indent > 8 * deepest || inLine > deepest) throw refuse(`has lists more than ${deepest} deep`);
  }
  let depth = 0;
  for (const character of text) {
    if (character === '[' || character === '{') depth++;
    else if (character === ']' || character === '}') depth--;
    if (depth > deepest) throw refuse(`has lists more than ${deepest} deep`);
  }
}

/** Throws `bad_input` with the first mistake. */
function parseYaml(text: string): unknown {
  const lineCounter = new LineCounter();
  try {
    // A text may have thousands of mistakes, and quoting the line of each takes seconds.
    const document = parseDocument(text, { prettyErrors: false, lineCounter });
    const [mistake] = document.errors;
    if (!mistake) return document.toJS();
    const { line, col } = lineCounter.linePos(mistake.pos[0]);
    throw new Error(`${mistake.message} at line ${line}, column ${col}`);
  } catch (error) {
    throw new LazyscopeError(
      'bad_input',
      `The sweep is not YAML: ${error instanceof Error ? error.message.split('\n')[0] : error}`,
      { cause: error },
    );
  }
}

/** What a sweep is called, and the names of its runs begin with. Throws as parseSweep does. */
export const nameOfSweep = (text: string): string => checkedSweep(text).name;

function checkedSweep(text: string) {
  refuseUnbounded(text);
  const parsed = sweepSchema.safeParse(parseYaml(text));
  if (!parsed.success) throw wrongAt(parsed.error);
  return parsed.data;
}

/** Throws `bad_input` that says what is wrong and where. */
export function parseSweep(text: string): SweepRun[] {
  const sweep = checkedSweep(text);
  const lists = valuesOfLists(sweep);
  checkName('sweep', sweep.name);

  const begun = starts(sweep);
  const most = [sweep.hooks, sweep.widths ?? [0], begun, ...lists.values()].reduce(
    (product, list) => product * list.length,
    sweep.architectures.length,
  );
  if (most > mostRuns)
    throw new LazyscopeError(
      'bad_input',
      `The sweep makes up to ${most} runs, where ${mostRuns} are the most: shorten its lists, or make several sweeps.`,
    );
  const runs: SweepRun[] = [];
  for (const architecture of sweep.architectures)
    for (const hook of sweep.hooks)
      for (const width of sweep.widths ?? [undefined])
        for (const { suffix, fields } of sparsityChoices(architecture, lists))
          for (const start of begun)
            runs.push({
              name: checkName(
                'run',
                [sweep.name, architecture, hook, width, suffix, ...start.suffixes].filter(Boolean).join('-'),
              ),
              architecture,
              options: {
                capture: sweep.capture,
                tokens: start.tokens,
                hook,
                seeds: sweep.seeds,
                ...(width && { width }),
                ...sweep.settings,
                ...fields,
                ...start.fields,
              },
            });
  const names = runs.map((run) => run.name);
  const seen = new Set<string>();
  const twice = names.find((name) => seen.size === seen.add(name).size);
  if (twice)
    throw new LazyscopeError(
      'bad_input',
      `The sweep makes run '${twice}' twice: remove repeated list items.`,
    );
  return runs;
}

interface Start {
  suffixes: string[];
  tokens: number;
  fields: StartSettings;
}

/** Every way to begin and every length, with what each adds to the run's name. */
function starts({ tokens, decoderStarts, encoderStarts, biasStarts, rowOrders }: Sweep): Start[] {
  const lengths: Start[] = Array.isArray(tokens)
    ? tokens.map((own) => ({ suffixes: [`t${own}`], tokens: own, fields: {} }))
    : [{ suffixes: [], tokens, fields: {} }];
  const lists: { prefix: string; name: StartName; values: readonly (string | number)[] | undefined }[] = [
    { prefix: 'dec-', name: 'decoderStart', values: decoderStarts },
    { prefix: 'enc-', name: 'encoderStart', values: encoderStarts },
    { prefix: 'bias-', name: 'biasStart', values: biasStarts },
    { prefix: 'order', name: 'rowOrder', values: rowOrders },
  ];
  return lists.reduce(
    (before, { prefix, name, values }) =>
      values === undefined
        ? before
        : before.flatMap((start) =>
            values.map((value) => ({
              ...start,
              suffixes: [...start.suffixes, `${prefix}${value}`],
              fields: { ...start.fields, [name]: value },
            })),
          ),
    lengths,
  );
}

/**
 * What the file has in lists of architectures. Throws `bad_input` for a list that no architecture has, that none of the
 * file's architectures uses, or whose values are not what its setting takes.
 */
function valuesOfLists(sweep: Sweep): Map<string, unknown[]> {
  const lists = new Map<string, unknown[]>();
  for (const [list, value] of Object.entries(sweep)) {
    if (Object.hasOwn(sweepSchema.shape, list)) continue;
    const users = architectureNames.filter((name) =>
      describedArchitecture(name).sweeps.some((one) => one.list === list),
    );
    if (users.length === 0)
      throw new LazyscopeError('bad_input', `The sweep is wrong at 'top': there is no list '${list}'.`);
    const user = users.find((name) => sweep.architectures.includes(name));
    if (user === undefined)
      throw new LazyscopeError(
        'bad_input',
        `The sweep is wrong at '${list}': only ${users.join(' and ')} use it; add the architecture or remove the list.`,
      );
    const { sweeps, settings } = describedArchitecture(user);
    const { setting } = sweeps.find((one) => one.list === list)!;
    const parsed = z.object({ [list]: listOf(fieldSchema(settings[setting])) }).safeParse({ [list]: value });
    if (!parsed.success) throw wrongAt(parsed.error);
    lists.set(list, parsed.data[list]);
  }
  return lists;
}

function wrongAt(error: z.ZodError): LazyscopeError {
  const [{ path, code, message }] = error.issues;
  const place = path.join('.');
  const missing = code === 'invalid_type' && message.endsWith('received undefined');
  return new LazyscopeError(
    'bad_input',
    missing && place !== ''
      ? `The sweep has no '${place}', and needs one: add it (README.md has a sweep).`
      : `The sweep is wrong at '${place || 'top'}': ${message}.`,
  );
}

/** The values of the first of an architecture's lists that the file has, each with what it adds to the run's name. */
function sparsityChoices(
  architecture: ArchitectureName,
  lists: ReadonlyMap<string, unknown[]>,
): { suffix: string; fields: object }[] {
  for (const { list, setting, letter } of describedArchitecture(architecture).sweeps) {
    const values = lists.get(list);
    if (values)
      return values.map((value) => ({ suffix: `${letter}${String(value)}`, fields: { [setting]: value } }));
  }
  return [{ suffix: '', fields: {} }];
}

/** Configurations of a sweep, complete; opens its capture for the width of the activations. */
export async function configureSweep(
  store: StoreLayout,
  text: string,
): Promise<{ name: string; config: TrainingConfig }[]> {
  const runs = parseSweep(text);
  const captures = new Map<string, Awaited<ReturnType<typeof openCapture>>>();
  try {
    const configured = [];
    for (const { name, architecture, options } of runs) {
      const capture =
        captures.get(options.capture) ?? (await openCapture(store, options.capture, { hooks: [] }));
      captures.set(options.capture, capture);
      const config = defaultTrainingConfig(architecture, { ...options, d: widthOf(capture, options.hook) });
      configured.push({ name, config });
    }
    return configured;
  } finally {
    for (const capture of captures.values()) capture.close();
  }
}
