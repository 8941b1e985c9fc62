/** Emergence of sparsity in models that were measured during training: the curves, and the law fitted to each. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import {
  activationFunction,
  parseActivationFunction,
} from '../../sae/models/activationFunctions/activationFunctions.ts';
import { trainingRecordKind } from '../../sae/spec/manifests/trainingRecord.ts';
import { fitLaw } from '../../sae/sparsity/emergence/fitLaw.ts';
import type { ServerContext } from '../context.ts';
import type { EmergenceCurve } from '../contract/sparsity.ts';
import { modelFoldersIn } from './modelFolders.ts';

/** What the observer of sae/sparsity/emergence puts into an observation. */
const observationsSchema = z.array(
  z.looseObject({
    tokens: z.number(),
    crossEntropy: z.number(),
    layers: z.array(
      z.looseObject({ activationRatio: z.number(), ratioAt: z.array(z.number()), deadRate: z.number() }),
    ),
  }),
);

/** Curves ordered by model name. A training.json without observations, or of another program, is ignored. */
export async function listEmergence(server: ServerContext): Promise<EmergenceCurve[]> {
  const found = await modelFoldersIn(server.modelFolders);
  const curves = await Promise.all(found.map(({ name, folder }) => readCurve(server, name, folder)));
  return curves.filter((curve) => curve !== undefined);
}

async function readCurve(
  { manifests }: ServerContext,
  model: string,
  folder: string,
): Promise<EmergenceCurve | undefined> {
  const path = join(folder, 'training.json');
  if (!existsSync(path)) return undefined;
  const record = await manifests.read(path, trainingRecordKind).catch(() => undefined);
  const observed = observationsSchema.safeParse(record?.observations);
  if (!record || !observed.success) return undefined;
  const { parameters, config } = record;
  const observations = observed.data;
  const at = (pick: (layer: (typeof observations)[number]['layers'][number]) => number) =>
    observations.map(({ layers }) => layers.map(pick));
  const activationRatio = at((layer) => layer.activationRatio);
  const ratioAt = at((layer) => layer.ratioAt[Math.floor(layer.ratioAt.length / 2)] ?? 0);
  const tokens = observations.map((observation) => observation.tokens);
  return {
    model,
    activation: config.activation,
    gated: config.family === 'llama',
    layers: config.layers,
    neurons: config.neurons,
    parameters,
    seed: config.seed,
    tokens,
    crossEntropy: observations.map((observation) => observation.crossEntropy),
    activationRatio,
    ratioAt,
    deadRate: at((layer) => layer.deadRate),
    law: lawOf(config.activation, tokens, activationRatio, ratioAt),
  };
}

function lawOf(
  activation: string,
  tokens: readonly number[],
  exact: readonly number[][],
  above: readonly number[][],
): EmergenceCurve['law'] {
  const { exactZeros } = activationFunction(parseActivationFunction(activation));
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const ratio = (exactZeros ? exact : above).map(mean);
  const after = tokens.flatMap((d, i) => (d > 0 ? [i] : []));
  if (after.length < 5) return null;
  return fitLaw(
    exactZeros ? 'logspace-power' : 'power',
    after.map((i) => tokens[i]),
    after.map((i) => ratio[i]),
  );
}
