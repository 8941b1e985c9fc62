/** `lazyscope bench`: how fast this machine is at what the product does. Results are checked before they are timed. */
import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import type { EncoderPath, StorageFormat } from '../../sae/backends/backend.ts';
import {
  type ArchitectureName,
  architectureNames,
  describedArchitecture,
  settingOfK,
} from '../../sae/spec/architectures/architectures.ts';
import { text } from '../../sae/spec/jobs/sharedOptions.ts';
import { loadModel } from '../commandLine/models.ts';
import { openGivenText } from '../commandLine/texts.ts';
import {
  byteSize,
  oneOf,
  positiveInteger,
  positiveNumber,
  wholeNumber,
  withCommonOptions,
  withGraphsOption,
  withScreeningOption,
  withStorageOption,
} from '../commandLine/options.ts';
import { short } from '../commandLine/progressView.ts';
import { runCommand } from '../commandLine/runCommand.ts';
import { stagesText } from '../bench/stageTimes.ts';
import { benchAllArchitectures } from './benchArchitectures.ts';

export function bench(): Command {
  return new Command('bench')
    .description(
      'measure matrix products, training, forward passes, sparsity, comparisons and matchings on this machine',
    )
    .addCommand(benchProducts())
    .addCommand(benchTraining())
    .addCommand(benchAllArchitectures())
    .addCommand(benchForwardPass())
    .addCommand(benchModelTraining())
    .addCommand(benchSparsityMeasures())
    .addCommand(benchComparison())
    .addCommand(benchChanceOfComparison())
    .addCommand(benchMatchingsOfPair());
}

function benchProducts(): Command {
  const command = new Command('gemm').description(
    'a [1024, 768] × [768, 8192] product, and a copy out of cache',
  );
  return withCommonOptions(command).action(() =>
    runCommand(command, async (session) => {
      const { benchGemm } = await import('../../sae/backends/benchGemm.ts');
      const { name, threads } = await session.startBackend();
      const result = await benchGemm();
      const { fusedKernels } = await import('../../sae/ops/kernelTable.ts');
      const rates = fusedKernels().rates?.({ rows: 4096, depth: 768, columns: 24_576 });
      const ofDevice = rates
        ? ` By its own clock, a [4096, 768] × [768, 24576] product takes ${Object.entries(rates.productMs)
            .map(([type, ms]) => `${ms.toFixed(3)} ms in ${type}`)
            .join(', ')}, and a copy runs at ${rates.copyGBs.toFixed(0)} GB/s.`
        : '';
      return {
        document: { backend: name, threads, ...result, ...(rates && { rates }) },
        text: `${name}, ${threads} threads: ${result.gemmGflops.toFixed(0)} GFLOP/s in products, ${result.copyGBs.toFixed(1)} GB/s in copies.${ofDevice}`,
      };
    }),
  );
}

interface TrainOptions {
  arch: ArchitectureName;
  d: number;
  width: number;
  batch: number;
  k: number;
  seeds: number;
  steps: number;
  l0: number;
  dead: number;
  screening: boolean;
  graphs: boolean;
  storage: StorageFormat;
  path: EncoderPath;
}

function benchTraining(): Command {
  const command = new Command('train')
    .description(
      'training steps on activations whose sparse structure is planted, at the L0 of a trained dictionary',
    )
    .option('--arch <name>', architectureNames.join(', '), oneOf(architectureNames), 'topk' as const)
    .option('--d <n>', 'width of the activations', positiveInteger, 768)
    .option('--width <latents>', 'of the dictionary', positiveInteger, 12_288)
    .option('--k <n>', 'active latents a token (topk, batchtopk)', positiveInteger, 32)
    .option('--l0 <n>', 'latents that fire a token (relu, jumprelu)', positiveInteger, 64)
    .option(
      '--dead <n>',
      'latents that count as dead, for AuxK (topk, batchtopk, matryoshka …)',
      wholeNumber,
      0,
    )
    .option(
      '--path <name>',
      'native and webgpu: whether ReLU and JumpReLU keep what fires as a list or all of it as a matrix; auto estimates which is faster',
      oneOf(['auto', 'sparse', 'dense']),
      'auto' as const,
    )
    .option('--batch <tokens>', 'a step', positiveInteger, 2_048)
    .option('--seeds <n>', 'dictionaries trained at once', positiveInteger, 1)
    .option('--steps <n>', 'to time, after two that warm up', positiveInteger, 5);
  return withCommonOptions(withStorageOption(withGraphsOption(withScreeningOption(command)))).action(
    (given: TrainOptions) =>
      runCommand(command, async (session) => {
        const { arch, d, width, batch, k, l0, dead, seeds, steps } = given;
        const keepsLargest = settingOfK(arch) !== null;
        if (keepsLargest && k > width)
          throw new LazyscopeError('bad_input', `--k ${k} is more than the ${width} latents of --width.`);
        if (l0 > width)
          throw new LazyscopeError('bad_input', `--l0 ${l0} is more than the ${width} latents of --width.`);
        if (dead > 0 && !('auxCoefficient' in describedArchitecture(arch).settings))
          throw new LazyscopeError('bad_input', `--dead is for AuxK, which ${arch} has not: leave it out.`);
        if (dead >= width)
          throw new LazyscopeError(
            'bad_input',
            `--dead ${dead} leaves none of the ${width} latents of --width alive.`,
          );
        const begun = performance.now();
        const { name, threads, detail } = await session.startBackend();
        const startSeconds = (performance.now() - begun) / 1000;
        const { benchTrain } = await import('../bench/benchTrain.ts');
        const result = await benchTrain(
          { architecture: arch, d, width, k, batchSize: batch, seeds, steps, l0, dead },
          session.report,
        );
        const phases = Object.entries(result.phasesMs).map(([phase, ms]) => `${phase} ${ms.toFixed(1)}`);
        const shares = [
          ...(result.hostMs === null ? [] : [`the host busy for ${result.hostMs.toFixed(1)}`]),
          ...(result.deviceMs === null ? [] : [`the device for ${result.deviceMs.toFixed(1)}`]),
        ].join(', ');
        const text = `${name}, ${threads} threads, ${arch} ${d} × ${width}, batch ${batch}, ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}: ${result.stepMs.toFixed(1)} ms a step (${phases.join(', ')}),${shares && ` ${shares},`} ${short(Math.round(result.tokensPerSecond))} tokens/s, ${(result.stepMs / result.floorMs).toFixed(2)} × the floor of ${result.floorMs.toFixed(1)} ms.`;
        return {
          document: {
            arch,
            d,
            width,
            batch,
            k: keepsLargest ? k : null,
            seeds,
            backend: name,
            threads,
            device: detail,
            screening: given.screening,
            graphs: given.graphs,
            storage: given.storage,
            startSeconds,
            ...result,
          },
          text,
        };
      }),
  );
}

interface ForwardOptions {
  model: string;
  batch: number;
  contextLength: number;
  repeats: number;
}

function benchForwardPass(): Command {
  const command = new Command('forward')
    .description('forward passes of a language model')
    .requiredOption(
      '--model <name|folder>',
      'a model of the data folder or the package, or a Hugging Face folder',
    )
    .option('--batch <n>', 'contexts a pass', positiveInteger, 16)
    .option('--context-length <tokens>', 'tokens a context', positiveInteger, 128)
    .option('--repeats <n>', 'passes to time', positiveInteger, 5);
  return withCommonOptions(command).action((given: ForwardOptions) =>
    runCommand(command, async (session) => {
      const { name, threads } = await session.startBackend();
      const model = await loadModel(session.store, given.model);
      if (given.contextLength > model.config.contextLength)
        throw new LazyscopeError(
          'bad_input',
          `--context-length ${given.contextLength} is longer than the model's ${model.config.contextLength}.`,
        );
      const { benchForward } = await import('../bench/benchForward.ts');
      const result = await benchForward(model, given);
      return {
        document: {
          backend: name,
          threads,
          model: model.name,
          batch: given.batch,
          contextLength: given.contextLength,
          ...result,
        },
        text: `${name}, ${threads} threads, ${model.name}: ${short(Math.round(result.tokensPerSecond))} tokens/s, ${result.gflops.toFixed(0)} GFLOP/s in the weights' products.`,
      };
    }),
  );
}

interface ModelTrainingOptions extends Omit<ForwardOptions, 'contextLength'> {
  contextLength?: number;
}

function benchModelTraining(): Command {
  const command = new Command('lm-train')
    .description('training steps of a language model of the shape of a given one')
    .requiredOption(
      '--model <name|folder>',
      'a model of the data folder or the package, or a Hugging Face folder: only its shape counts',
    )
    .option('--batch <n>', 'contexts a step', positiveInteger, 8)
    .option('--context-length <tokens>', "tokens a context; the model's when left out", positiveInteger)
    .option('--repeats <n>', 'steps to time', positiveInteger, 5);
  return withCommonOptions(command).action((given: ModelTrainingOptions) =>
    runCommand(command, async (session) => {
      const { name, threads } = await session.startBackend();
      const model = await loadModel(session.store, given.model);
      const { family, activation, d, layers, heads, keyValueHeads, neurons, vocabularySize } = model.config;
      const contextLength = given.contextLength ?? model.config.contextLength;
      if (!model.config.tiedEmbeddings)
        throw new LazyscopeError(
          'bad_input',
          `'${model.name}' has an unembedding of its own, which lm train does not make: give a model that ties it.`,
        );
      if (family !== 'gpt2' && family !== 'llama')
        throw new LazyscopeError(
          'bad_input',
          `'${model.name}' is of the family ${family}, which lm train does not make: give a gpt2 or a llama.`,
        );
      model.dispose();
      const { benchLanguageModelTraining } = await import('../bench/benchLanguageModelTraining.ts');
      const result = await benchLanguageModelTraining(
        {
          family, activation, d, layers, heads, neurons, vocabularySize, contextLength,
          keyValueHeads: family === 'llama' ? keyValueHeads : undefined,
          batchSize: given.batch,
        },
        given.repeats,
        session.report,
      ); // prettier-ignore
      return {
        document: { backend: name, threads, model: model.name, batch: given.batch, contextLength, ...result },
        text: `${name}, ${threads} threads, the shape of ${model.name}: ${result.stepMs.toFixed(1)} ms a step, ${short(Math.round(result.tokensPerSecond))} tokens/s.`,
      };
    }),
  );
}

interface SparsityOptions {
  model: string;
  text: string;
  maxTokens: number;
  contextLength?: number;
}

function benchSparsityMeasures(): Command {
  const command = new Command('sparsity')
    .description('the streaming measures of the sparsity report beside the plain forward pass')
    .requiredOption(
      '--model <name|folder>',
      'a model of the data folder or the package, or a Hugging Face folder',
    )
    .option('--text <file|dataset>', text.field.doc, 'dataset:moby-dick')
    .option('--max-tokens <n>', 'tokens to measure on', positiveInteger, 65_536)
    .option('--context-length <tokens>', 'tokens a context', positiveInteger);
  return withCommonOptions(command).action((given: SparsityOptions) =>
    runCommand(command, async (session) => {
      const text = await openGivenText(session.store, given);
      const { name, threads } = await session.startBackend();
      const model = await loadModel(session.store, given.model);
      const { packContexts, contextLengthFor } = await import('../../sae/sparsity/measureSparsity.ts');
      const contextLength = contextLengthFor(model, given.contextLength);
      const contexts = await packContexts({ model, text, maxTokens: given.maxTokens }, contextLength);
      const { benchSparsity } = await import('../bench/benchSparsity.ts');
      const result = await benchSparsity(model, contexts, contextLength, session.report);
      return {
        document: { backend: name, threads, model: model.name, contextLength, ...result },
        text: `${name}, ${threads} threads, ${model.name}: ${short(Math.round(result.streamingTokensPerSecond))} tokens/s with every streaming measure, ${short(Math.round(result.forwardTokensPerSecond))} without: ${result.ratio.toFixed(2)} (${result.cpuRatio.toFixed(2)} in processor time).`,
      };
    }),
  );
}

interface ComparisonOptions {
  relation: 'copy' | 'independent' | 'trained';
  latents: number;
  d: number;
  solver: 'auto' | 'dense';
  memory?: number;
  gap?: number;
}

function benchComparison(): Command {
  const command = new Command('compare')
    .description('match two made-up dictionaries whose answer is known, encoders and decoders')
    .option(
      '--relation <kind>',
      'copy, independent, or trained: half of the features shared, off by noise',
      oneOf(['copy', 'independent', 'trained']),
      'trained' as const,
    )
    .option('--latents <n>', 'of each', positiveInteger, 32_768)
    .option('--d <n>', 'width of the activations', positiveInteger, 768)
    .option(
      '--solver <name>',
      'auto, or dense to make the whole matrix',
      oneOf(['auto', 'dense']),
      'auto' as const,
    )
    .option('--memory <size>', 'what the process may take at most, for example 2GB', byteSize)
    .option('--gap <share>', 'to stop at', positiveNumber);
  return withCommonOptions(command).action((given: ComparisonOptions) =>
    runCommand(command, async (session) => {
      const { relation, latents, d, solver, memory, gap } = given;
      const { name, threads } = await session.startBackend();
      const { benchCompare } = await import('../bench/benchCompare.ts');
      const result = benchCompare({ relation, latents, d, solver, memory, gap }, session.report);
      return {
        document: { backend: name, threads, relation, latents, d, ...result },
        text: `${name}, ${threads} threads, ${relation}, ${latents} × ${d}: ${result.seconds.toFixed(1)} s (${result.cpuSeconds.toFixed(0)} s of CPU), ${Math.round(result.peakRssMb)} MB, gap ${(100 * result.gap).toFixed(3)} %, shared ${(100 * result.shared).toFixed(1)} %.`,
      };
    }),
  );
}

interface ChanceOptions {
  latents: number;
  d: number;
  tokens: number;
}

function benchChanceOfComparison(): Command {
  const command = new Command('chance')
    .description('what chance would make of two made-up dictionaries: laws, p-values and a rotation')
    .option('--latents <n>', 'of each', positiveInteger, 32_768)
    .option('--d <n>', 'width of the activations', positiveInteger, 768)
    .option('--tokens <n>', 'activations whose covariance is taken', positiveInteger, 131_072);
  return withCommonOptions(command).action(({ latents, d, tokens }: ChanceOptions) =>
    runCommand(command, async (session) => {
      const { name, threads } = await session.startBackend();
      const { benchChance } = await import('../bench/benchChance.ts');
      const result = benchChance({ latents, d, tokens }, session.report);
      return {
        document: { backend: name, threads, latents, d, tokens, ...result },
        text: `${name}, ${threads} threads, chance at ${latents} × ${d}: ${result.cpuSeconds.toFixed(0)} s of CPU (${stagesText(result.stages)}), ${Math.round(result.peakRssMb)} MB.`,
      };
    }),
  );
}

function benchMatchingsOfPair(): Command {
  const command = new Command('matchings')
    .description('the ways to pair the features of two made-up dictionaries, judged by the reconstruction')
    .option('--latents <n>', 'of each', positiveInteger, 16_384)
    .option('--d <n>', 'width of the activations', positiveInteger, 768)
    .option('--tokens <n>', 'held-out activations', positiveInteger, 16_384);
  return withCommonOptions(command).action(({ latents, d, tokens }: ChanceOptions) =>
    runCommand(command, async (session) => {
      const { name, threads } = await session.startBackend();
      const { benchMatchings } = await import('../bench/benchMatchings.ts');
      const { report, signal } = session;
      const result = await benchMatchings({ latents, d, tokens, signal }, report);
      return {
        document: { backend: name, threads, latents, d, tokens, ...result },
        text: `${name}, ${threads} threads, matchings of ${latents} × ${d}: ${result.cpuSeconds.toFixed(0)} s of CPU (${stagesText(result.stages)}), ${Math.round(result.peakRssMb)} MB.`,
      };
    }),
  );
}
