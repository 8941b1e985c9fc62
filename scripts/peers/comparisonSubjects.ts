/** What is compared: how each side is run, and which figure of its document counts. */

/** The figure of each variant, in the subject's unit. */
export type Figures = Record<string, number>;

export interface Runners {
  /** Timed steps a process. */
  steps: number;
  threads: number;
  /** Whether language models are measured under torch.compile too. */
  compiled: boolean;
  /** The CPU's widest vectors, as /proc/cpuinfo names them. */
  vectors: string;
  /** The language model's folder. */
  model: string;
  lazyscope<Result>(...args: string[]): Promise<Result>;
  python<Result>(script: string, args: string[], environment?: Record<string, string>): Promise<Result>;
}

export interface Subject {
  title: string;
  unit: string;
  higherIsBetter: boolean;
  ours(runners: Runners): Promise<Figures>;
  theirs(runners: Runners): Promise<Figures>;
}

/** Not a variant, but the time of one product and six passes over the parameters. */
export const floor = 'floor: one float32 product, six passes over the parameters';

interface TrainDocument {
  stepMs: number;
  floorMs: number;
  gemmGflops: number;
}

const sizes = ['--d', '768', '--width', '12288', '--k', '32', '--batch', '2048'];
const stepsOf = ({ steps }: Runners) => ['--steps', String(steps)];

function training(architecture: string, activity: string): Subject {
  return {
    title: `A training step of ${architecture}: d = 768, 12,288 latents, ${activity}, batch 2,048, float32`,
    unit: 'ms',
    higherIsBetter: false,
    ours: async (runners) => {
      const step = (...more: string[]) =>
        runners.lazyscope<TrainDocument>(
          'train',
          '--arch',
          architecture,
          ...sizes,
          ...stepsOf(runners),
          ...more,
        );
      const screened = await step();
      const unscreened = await step('--no-screening');
      return {
        Lazyscope: screened.stepMs,
        'Lazyscope, no screening': unscreened.stepMs,
        [floor]: unscreened.floorMs,
      };
    },
    theirs: async (runners) => {
      const { peers } = await runners.python<{ peers: Record<string, { stepMs: number }> }>('benchTraining.py', [
        '--arch', architecture, ...sizes, ...stepsOf(runners), '--warmup', '1',
      ]); // prettier-ignore
      return figures(peers, ({ stepMs }) => stepMs);
    },
  };
}

/** As training begins, when half of the latents fire and every implementation works with whole matrices. */
function early(architecture: string): Subject {
  return {
    title: `A training step of ${architecture} while half the latents fire: d = 768, 12,288 latents, batch 2,048, float32`,
    unit: 'ms',
    higherIsBetter: false,
    ours: async (runners) => ({
      Lazyscope: (
        await runners.lazyscope<TrainDocument>(
          'train', '--arch', architecture, ...sizes, ...stepsOf(runners), '--l0', '6144',
        )
      ).stepMs,
    }), // prettier-ignore
    theirs: async (runners) => {
      const { peers } = await runners.python<{ peers: Record<string, { stepMs: number }> }>('benchTraining.py', [
        '--arch', architecture, ...sizes, ...stepsOf(runners), '--warmup', '1',
        ...['SAELens', 'by hand, dense', 'by hand, dense, compiled'].flatMap((peer) => ['--peer', peer]),
      ]); // prettier-ignore
      return figures(peers, ({ stepMs }) => stepMs);
    },
  };
}

const seeds: Subject = {
  title: 'Four seeds of TopK together against one',
  unit: 'ms',
  higherIsBetter: false,
  ours: async (runners) => ({
    'one seed': (await runners.lazyscope<TrainDocument>('train', ...sizes, ...stepsOf(runners))).stepMs,
  }),
  theirs: async (runners) => ({
    'four seeds together': (
      await runners.lazyscope<TrainDocument>('train', ...sizes, ...stepsOf(runners), '--seeds', '4')
    ).stepMs,
  }),
};

/** OpenBLAS's names of its kernels; one that the CPU lacks the instructions for ends the process. '' is its own choice. */
function coreTypes(vectors: string): string[] {
  if (vectors === 'asimd') return ['', 'ARMV8', 'NEOVERSEN1'];
  return ['', 'Zen', 'Haswell', ...(vectors.startsWith('avx512') ? ['SkylakeX'] : [])];
}

interface ProductsDocument {
  kernel: string;
  products: { shape: number[]; gflops: number }[];
}

function product(shape: string, index: number, ours: Subject['ours']): Subject {
  return {
    title: `A float32 product ${shape}`,
    unit: 'GFLOP/s',
    higherIsBetter: true,
    ours,
    theirs: async (runners) => {
      const all: Figures = {};
      for (const library of ['torch', 'numpy'])
        for (const core of library === 'numpy' ? coreTypes(runners.vectors) : ['']) {
          const environment: Record<string, string> = core === '' ? {} : { OPENBLAS_CORETYPE: core };
          const { kernel, products } = await runners.python<ProductsDocument>(
            'benchProducts.py', ['--library', library], environment,
          ); // prettier-ignore
          const name = `${library === 'numpy' ? 'NumPy' : 'PyTorch'}, ${kernel}`;
          // Two names may stand for the same kernel.
          all[name] = Math.max(all[name] ?? 0, products[index].gflops);
        }
      return all;
    },
  };
}

const languageModel = ['--batch', '16', '--context-length', '128'];

const forward: Subject = {
  title: 'Forward passes of the demo language model, batch 16 × 128 tokens',
  unit: 'tokens/s',
  higherIsBetter: true,
  ours: async ({ lazyscope, model }) => ({
    Lazyscope: (
      await lazyscope<{ tokensPerSecond: number }>(
        'forward',
        '--model',
        model,
        ...languageModel,
        '--repeats',
        '10',
      )
    ).tokensPerSecond,
  }),
  theirs: async ({ python, model, compiled }) => {
    const { peers } = await python<{ peers: Record<string, { bestTokensPerSecond: number }> }>(
      'benchLanguageModel.py', ['--forward', '--model', model, ...languageModel, '--steps', '10', ...(compiled ? [] : ['--no-compiled'])],
    ); // prettier-ignore
    return figures(peers, ({ bestTokensPerSecond }) => bestTokensPerSecond);
  },
};

const languageModelTraining: Subject = {
  title: 'Training steps of a language model of the demo model’s shape, AdamW, batch 8 × 256 tokens',
  unit: 'tokens/s',
  higherIsBetter: true,
  ours: async ({ lazyscope, model }) => ({
    Lazyscope: (
      await lazyscope<{ tokensPerSecond: number }>(
        'lm-train', '--model', model, '--batch', '8', '--context-length', '256', '--repeats', '8',
      )
    ).tokensPerSecond,
  }), // prettier-ignore
  theirs: async ({ python, model, compiled }) => {
    const { peers } = await python<{ peers: Record<string, { tokensPerSecond: number }> }>('benchLanguageModel.py', [
      '--train', '--model', model, '--batch', '8', '--context-length', '256', '--steps', '8', ...(compiled ? [] : ['--no-compiled']),
    ]); // prettier-ignore
    return figures(peers, ({ tokensPerSecond }) => tokensPerSecond);
  },
};

export const subjects: Record<string, Subject> = {
  topk: training('topk', 'k = 32'),
  relu: training('relu', 'L0 ≈ 64'),
  jumprelu: training('jumprelu', 'L0 ≈ 64'),
  'relu-early': early('relu'),
  'jumprelu-early': early('jumprelu'),
  seeds,
  gemm: product('[1024, 768] × [768, 8192]', 0, async ({ lazyscope }) => ({
    Lazyscope: (await lazyscope<{ gemmGflops: number }>('gemm')).gemmGflops,
  })),
  'gemm-step': product('[2048, 768] × [768, 12288]', 1, async ({ lazyscope }) => ({
    Lazyscope: (await lazyscope<TrainDocument>('train', ...sizes, '--steps', '1')).gemmGflops,
  })),
  forward,
  'lm-train': languageModelTraining,
};

function figures<T>(peers: Record<string, T>, figure: (peer: T) => number): Figures {
  return Object.fromEntries(Object.entries(peers).map(([name, peer]) => [name, figure(peer)]));
}
