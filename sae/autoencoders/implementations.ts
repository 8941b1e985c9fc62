/** The mathematics of every architecture that sae/spec/architectures describes. */
import { LazyscopeError } from '../errors.ts';
import type { Batch, DictionaryVariables, FusedKernels } from '../ops/fusedKernels.ts';
import type { TrainingState } from '../spec/architectures/architecture.ts';
import {
  architectureNames,
  type ConfigOf,
  isTrainable,
  type TrainableName,
  type TrainingConfig,
} from '../spec/architectures/architectures.ts';
import type { Architecture, ForwardPass, NormStatistics, StepSettings } from './architecture.ts';
import { batchTopK } from './batchTopK.ts';
import type { DictionaryArrays } from './dictionary.ts';
import type { TrainedDictionary } from './dictionaryFile.ts';
import { gated } from './gated.ts';
import { jumpRelu } from './jumpRelu.ts';
import { matryoshka } from './matryoshka.ts';
import { matryoshkaTopK } from './matryoshkaTopK.ts';
import { relu } from './relu.ts';
import { topK } from './topK.ts';

const implementations: { readonly [Name in TrainableName]: Architecture<Name> } = {
  relu,
  topk: topK,
  jumprelu: jumpRelu,
  batchtopk: batchTopK,
  gated,
  matryoshka,
  matryoshkatopk: matryoshkaTopK,
};

/** An architecture with its configuration filled in; see `Architecture`. */
export interface ConfiguredArchitecture {
  readonly unitNormDecoder: boolean;
  inputScale(d: number, norms: NormStatistics): number;
  initialise(
    sample: Float32Array,
    median: Float32Array,
    rows: (norm: number) => Float32Array,
  ): DictionaryArrays;
  forward(
    kernels: FusedKernels,
    parameters: DictionaryVariables,
    batch: Batch,
    settings: StepSettings,
  ): ForwardPass;
  /** In units of the scaled activations. */
  trained(parameters: DictionaryArrays, state: TrainingState): TrainedDictionary;
}

/** Throws `bad_input` for architectures that are only read from other tools' files. */
export function configuredArchitecture(config: TrainingConfig): ConfiguredArchitecture {
  const { architecture } = config;
  if (!isTrainable(architecture))
    throw new LazyscopeError(
      'bad_input',
      `Dictionaries of ${architecture} are read from other tools' files and can't be trained here: choose one of ${architectureNames.join(', ')}.`,
    );
  return withConfig(architecture, config as ConfigOf<TrainableName>);
}

function withConfig<Name extends TrainableName>(name: Name, config: ConfigOf<Name>): ConfiguredArchitecture {
  const implementation: Architecture<Name> = implementations[name];
  const thresholds: Architecture<'jumprelu'>['thresholds'] | null = implementation.thresholds;
  return {
    unitNormDecoder: implementation.unitNormDecoder,
    inputScale: (d, norms) => implementation.inputScale(d, norms),
    initialise: (sample, median, rows) => implementation.initialise(config, sample, median, rows),
    forward: (kernels, parameters, batch, settings) =>
      implementation.forward(kernels, parameters, batch, config, settings),
    trained(parameters, state) {
      const { wEnc, bEnc } = implementation.finished?.(parameters) ?? parameters;
      const { wDec, bDec, wSkip } = parameters;
      const threshold = thresholds?.(parameters, state) ?? null;
      return { wEnc, bEnc, wDec, bDec, threshold, ...(wSkip && { wSkip }) };
    },
  };
}
