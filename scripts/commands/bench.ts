/** `lazyscope bench`: how fast this machine is at what the product does. Results are checked before they are timed. */
import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import type { Architecture } from '../../sae/store/manifests.ts';
import { loadModel } from '../commandLine/models.ts';
import {
  byteSize,
  oneOf,
  positiveInteger,
  positiveNumber,
  withCommonOptions,
} from '../commandLine/options.ts';
import { short } from '../commandLine/progressView.ts';
import { runCommand } from '../commandLine/runCommand.ts';

export function bench(): Command {
  return new Command('bench')
    .description('measure matrix products, training, forward passes and comparisons on this machine')
    .addCommand(benchProducts())
    .addCommand(benchTraining())
    .addCommand(benchForwardPass())
    .addCommand(benchComparison());
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
      return {
        document: { backend: name, threads, ...result },
        text: `${name}, ${threads} threads: ${result.gemmGflops.toFixed(0)} GFLOP/s in products, ${result.copyGBs.toFixed(1)} GB/s in copies.`,
      };
    }),
  );
}

interface TrainOptions {
  architecture: Architecture;
  d: number;
  width: number;
  batchSize: number;
  k: number;
  seeds: number;
  steps: number;
}

function benchTraining(): Command {
  const command = new Command('train')
    .description('training steps on synthetic sparse activations')
    .option(
      '--architecture <name>',
      'relu, topk or jumprelu',
      oneOf(['relu', 'topk', 'jumprelu']),
      'topk' as const,
    )
    .option('--d <n>', 'width of the activations', positiveInteger, 768)
    .option('--width <latents>', 'of the dictionary', positiveInteger, 12_288)
    .option('--batch-size <tokens>', 'a step', positiveInteger, 2_048)
    .option('--k <n>', 'active latents a token (topk)', positiveInteger, 32)
    .option('--seeds <n>', 'dictionaries trained at once', positiveInteger, 1)
    .option('--steps <n>', 'to time', positiveInteger, 20);
  return withCommonOptions(command).action((given: TrainOptions) =>
    runCommand(command, async (session) => {
      const { architecture, d, width, batchSize, k, seeds, steps } = given;
      const settings = { architecture, d, width, batchSize, k, seeds, steps };
      const { name, threads } = await session.startBackend();
      const { benchTrain } = await import('../bench/benchTrain.ts');
      const result = await benchTrain(settings, session.report);
      const text = `${name}, ${threads} threads, ${given.architecture} ${given.d} × ${given.width}, batch ${given.batchSize}, ${given.seeds} ${given.seeds === 1 ? 'seed' : 'seeds'}: ${result.millisecondsAStep.toFixed(1)} ms a step, ${short(Math.round(result.tokensPerSecond))} tokens/s; one product of the batch with the dictionary takes ${result.productMilliseconds.toFixed(1)} ms.`;
      return { document: { backend: name, threads, ...settings, ...result }, text };
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
