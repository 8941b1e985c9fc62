/** Every tensor that a description asks for, with its shape, in forward order. */
import { addActivationShapes } from '../activationFunctions/activationParameters.ts';
import type { ModelConfig, Norm } from '../modelConfig.ts';
import type { DecoderNames } from './family.ts';
import { inBlock } from './storedModules.ts';
import type { ParameterShapes } from './storedModules.ts';

export function parameterShapes(config: ModelConfig, names: DecoderNames): ParameterShapes {
  const { d, vocabularySize, embedding, learnedPositions, biases } = config;
  const shapes = new Map<string, number[]>([
    [`${names.embedding}.weight`, [vocabularySize, embedding.width]],
  ]);
  if (embedding.norm) addNorm(shapes, names.embeddingNorm!, config.norm, [d]);
  if (learnedPositions)
    shapes.set(`${names.positions!}.weight`, [config.contextLength + learnedPositions.offset, d]);
  if (config.encoder) shapes.set(`${names.tokenTypes!}.weight`, [config.encoder.tokenTypes, d]);
  if (embedding.width !== d) shapes.set(`${names.projectIn!}.weight`, [d, embedding.width]);
  for (let layer = 0; layer < config.layers; layer++) addBlock(shapes, config, names, layer);
  if (config.finalNorm) addNorm(shapes, names.finalNorm, config.norm, [d]);
  if (embedding.width !== d) shapes.set(`${names.projectOut!}.weight`, [embedding.width, d]);
  if (config.encoder?.head) {
    shapes.set(`${names.head!.dense}.weight`, [d, d]).set(`${names.head!.dense}.bias`, [d]);
    addNorm(shapes, names.head!.norm, config.norm, [d]);
  }
  if (!config.tiedEmbeddings) shapes.set(`${names.unembedding}.weight`, [vocabularySize, embedding.width]);
  if (biases.unembedding) shapes.set(`${names.unembedding}.bias`, [vocabularySize]);
  return shapes;
}

type Shapes = Map<string, number[]>;

function addNorm(shapes: Shapes, name: string, norm: Norm, shape: number[]): void {
  if (norm.gain) shapes.set(`${name}.weight`, shape);
  if (norm.kind === 'layer' && norm.bias) shapes.set(`${name}.bias`, shape);
}

function addBlock(shapes: Shapes, config: ModelConfig, names: DecoderNames, layer: number): void {
  const { d, neurons, heads, keyValueHeads, headWidth, norm, queryKeyNorm, biases, normPlacement } = config;
  const at = (name: string) => inBlock(names, layer, name);
  const linear = (name: string, into: number, out: number, bias: boolean) => {
    shapes.set(`${at(name)}.weight`, names.stored === 'outIn' ? [out, into] : [into, out]);
    if (bias) shapes.set(`${at(name)}.bias`, [out]);
  };
  const streamNorm = (name: string | undefined, wanted: boolean) => {
    if (wanted) addNorm(shapes, at(name!), norm, [d]);
  };
  const queries = heads * headWidth;
  const keys = keyValueHeads * headWidth;
  const alongside = normPlacement !== 'output';
  const onOutput = normPlacement === 'output' || normPlacement === 'both';

  streamNorm(names.attentionNorm, alongside);
  const { queryKeyValue: stored } = names;
  if ('fused' in stored) linear(stored.fused, d, queries + 2 * keys, biases.queryKeyValue);
  else {
    linear(stored.query, d, queries, biases.queryKeyValue);
    linear(stored.key, d, keys, biases.queryKeyValue);
    linear(stored.value, d, keys, biases.queryKeyValue);
  }
  if (queryKeyNorm)
    for (const [name, count] of [
      [names.queryNorm!, heads],
      [names.keyNorm!, keyValueHeads],
    ] as const) {
      if (queryKeyNorm.over === 'allHeads') addNorm(shapes, at(name), queryKeyNorm, [count * headWidth]);
      else if (queryKeyNorm.gains === 'shared') addNorm(shapes, at(name), queryKeyNorm, [headWidth]);
      else if (queryKeyNorm.gains === 'byHead') addNorm(shapes, at(name), queryKeyNorm, [count, headWidth]);
      else
        for (let head = 0; head < count; head++)
          addNorm(shapes, `${at(name)}.norms.${head}`, queryKeyNorm, [headWidth]);
    }
  linear(names.attentionOutput, queries, d, biases.attentionOutput);
  streamNorm(names.attentionOutputNorm, onOutput);
  streamNorm(names.mlpNorm, alongside && config.parallel !== 'sharedNorm');
  const { mlpIn } = names;
  if ('router' in mlpIn) {
    const { count } = config.experts!;
    linear(mlpIn.router, d, count, false);
    for (let expert = 0; expert < count; expert++) {
      const of = (name: string) => name.replace('{expert}', String(expert));
      linear(of(mlpIn.gate), d, neurons / count, biases.mlpIn);
      linear(of(mlpIn.up), d, neurons / count, biases.mlpIn);
      linear(of(names.mlpOut), neurons / count, d, biases.mlpOut);
    }
  } else if ('fusedGateUp' in mlpIn) linear(mlpIn.fusedGateUp, d, 2 * neurons, biases.mlpIn);
  else {
    linear(mlpIn.gate, d, neurons, biases.mlpIn);
    if (mlpIn.up !== undefined) linear(mlpIn.up, d, neurons, biases.mlpIn);
  }
  if (!config.experts) linear(names.mlpOut, neurons, d, biases.mlpOut);
  streamNorm(names.mlpOutputNorm, onOutput);
  addActivationShapes(shapes, at(names.mlp), config.activation);
}
