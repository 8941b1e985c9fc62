/**
 * Sweeps from a YAML file: every combination of architectures, hooks and widths with each value of that
 * architecture's sparsity setting is a run; the seeds of a run are trained together.
 *
 *     capture: demo
 *     tokens: 1200000
 *     architectures: [relu, topk, jumprelu]
 *     hooks: [blocks.2.hook_resid_post]
 *     widths: [2048, 4096]
 *     k: [16, 32]                   # TopK
 *     sparsityCoefficients: [5]     # λ: ReLU, and JumpReLU without targetL0
 *     targetL0: [32]                # JumpReLU
 *     seeds: [0, 1, 2]
 *     settings: { learningRate: 1e-3 }   # any other field of the configuration, for all runs
 */
import { parse } from 'yaml';
import { z } from 'zod';
import { openCapture } from '../activations/openCapture.ts';
import { LazyscopeError } from '../errors.ts';
import { checkName, type StoreLayout } from '../store/layout.ts';
import { architectureNames } from '../spec/architectures/architectures.ts';
import type { ArchitectureName, TrainingConfig } from '../spec/architectures/architectures.ts';
import { defaultTrainingConfig } from './defaults.ts';

const listOf = <T extends z.ZodType>(item: T) => z.array(item).min(1);
const sweepSchema = z.strictObject({
  /** What run names begin with. */
  name: z.string().default('sweep'),
  capture: z.string(),
  tokens: z.int().positive(),
  architectures: listOf(z.enum(architectureNames)),
  hooks: listOf(z.string()),
  widths: listOf(z.int().positive()).optional(),
  k: listOf(z.int().positive()).optional(),
  sparsityCoefficients: listOf(z.number().nonnegative()).optional(),
  targetL0: listOf(z.number().positive()).optional(),
  seeds: listOf(z.int().nonnegative()).default([0]),
  settings: z
    .strictObject({
      batchSize: z.int().positive(),
      learningRate: z.number().positive(),
      warmupSteps: z.int().nonnegative(),
      decayFraction: z.number().min(0).max(1),
      deadAfter: z.int().positive(),
      checkpointEvery: z.int().positive(),
      logEvery: z.int().positive(),
    })
    .partial()
    .default({}),
});

/** One run of a sweep: what defaultTrainingConfig takes, except the width of the activations, which the capture knows. */
export interface SweepRun {
  name: string;
  architecture: ArchitectureName;
  options: Omit<Parameters<typeof defaultTrainingConfig>[1], 'd'>;
}

/** Which list of the file is an architecture's sparsity setting, and the field it sets. */
const sparsity = {
  relu: [['sparsityCoefficients', 'sparsityCoefficient', 'l']],
  topk: [['k', 'k', 'k']],
  jumprelu: [
    ['targetL0', 'targetL0', 't'],
    ['sparsityCoefficients', 'sparsityCoefficient', 'l'],
  ],
} as const;

/** Throws `bad_input` that says what is wrong and where. */
export function parseSweep(text: string): SweepRun[] {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new LazyscopeError(
      'bad_input',
      `The sweep is not YAML: ${error instanceof Error ? error.message.split('\n')[0] : error}`,
      { cause: error },
    );
  }
  const parsed = sweepSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new LazyscopeError(
      'bad_input',
      `The sweep is wrong at '${issue.path.join('.') || 'top'}': ${issue.message}.`,
    );
  }
  const sweep = parsed.data;
  for (const [list, users] of [
    ['k', ['topk']],
    ['targetL0', ['jumprelu']],
    ['sparsityCoefficients', ['relu', 'jumprelu']],
  ] as const)
    if (sweep[list] && !users.some((name) => sweep.architectures.includes(name)))
      throw new LazyscopeError(
        'bad_input',
        `The sweep is wrong at '${list}': only ${users.join(' and ')} use it; add the architecture or remove the list.`,
      );
  checkName('sweep', sweep.name);

  const runs: SweepRun[] = [];
  for (const architecture of sweep.architectures)
    for (const hook of sweep.hooks)
      for (const width of sweep.widths ?? [undefined])
        for (const { suffix, fields } of sparsityChoices(architecture, sweep))
          runs.push({
            name: checkName('run', [sweep.name, architecture, hook, width, suffix].filter(Boolean).join('-')),
            architecture,
            options: {
              capture: sweep.capture,
              tokens: sweep.tokens,
              hook,
              seeds: sweep.seeds,
              ...(width && { width }),
              ...sweep.settings,
              ...fields,
            },
          });
  const names = runs.map((run) => run.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice)
    throw new LazyscopeError(
      'bad_input',
      `The sweep makes run '${twice}' twice: remove repeated list items.`,
    );
  return runs;
}

function sparsityChoices(
  architecture: ArchitectureName,
  sweep: z.infer<typeof sweepSchema>,
): { suffix: string; fields: object }[] {
  for (const [list, field, letter] of sparsity[architecture]) {
    const values = sweep[list];
    if (values) return values.map((value) => ({ suffix: `${letter}${value}`, fields: { [field]: value } }));
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
      const capture = captures.get(options.capture) ?? (await openCapture(store, options.capture));
      captures.set(options.capture, capture);
      const config = defaultTrainingConfig(architecture, { ...options, d: capture.width(options.hook) });
      configured.push({ name, config });
    }
    return configured;
  } finally {
    for (const capture of captures.values()) capture.close();
  }
}
