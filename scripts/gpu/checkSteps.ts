/**
 * What a check of a GPU consists of, the most important first, because a lent machine may not last to the end:
 * whether the backend computes what the reference does, whether it trains to the same losses, and how fast it is.
 */
import { join } from 'node:path';
import type { BackendName, StorageFormat } from '../../sae/backends/backend.ts';
import { type ArchitectureName, architectureNames } from '../../sae/spec/architectures/architectures.ts';
import type { Step } from './runSteps.ts';

export interface CheckOptions {
  readonly backends: readonly BackendName[];
  /** `small` is for drivers that compute on the processor; `large` adds d = 4,096 with 131,072 latents. */
  readonly size: 'small' | 'usual' | 'large';
  /** Python with PyTorch; null leaves the peers out. */
  readonly python: string | null;
}

interface TrainingSize {
  readonly d: number;
  readonly width: number;
  readonly k: number;
  readonly batch: number;
}
const sizes: Readonly<Record<CheckOptions['size'], readonly TrainingSize[]>> = {
  small: [{ d: 64, width: 512, k: 8, batch: 64 }],
  usual: [
    { d: 768, width: 24_576, k: 32, batch: 4_096 },
    { d: 2_304, width: 16_384, k: 64, batch: 4_096 },
  ],
  large: [
    { d: 768, width: 24_576, k: 32, batch: 4_096 },
    { d: 4_096, width: 131_072, k: 64, batch: 8_192 },
  ],
};
/** What a backend can halve the bytes with. */
const halves: Partial<Record<BackendName, Exclude<StorageFormat, 'f32'>>> = { cuda: 'bf16', webgpu: 'f16' };
/** Of the latents, how many fire a token when the limit between a list and a matrix is looked for. */
const densities = [1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4];

/** Where each file of the check is, and how Node is told to load TypeScript. */
const here = import.meta.dirname;
const loader = process.features.typescript ? [] : ['--import', 'tsx'];
const script = (name: string, file: string, args: readonly string[], limit: number): Step => ({
  name,
  program: process.execPath,
  args: ['--no-warnings', ...loader, join(here, file), ...args],
  limit,
});
const lazyscope = (name: string, args: readonly string[], limit: number) =>
  script(name, 'cliChild.ts', [...args, '--json'], limit);

export function checkSteps({ backends, size, python }: CheckOptions): Step[] {
  const small = size === 'small';
  const [first, ...wider] = sizes[size];
  const rest = architectureNames.filter((name) => name !== 'topk');
  const each = (steps: (backend: BackendName) => readonly Step[]) => backends.flatMap(steps);
  const on = (chosen: readonly BackendName[], steps: (backend: BackendName) => readonly Step[]) =>
    backends.filter((name) => chosen.includes(name)).flatMap(steps);
  const conformance = (backend: BackendName) => [
    script(`${backend} conformance`, 'conformance.ts', [backend], 180),
  ];
  const onGpu: readonly BackendName[] = ['cuda', 'webgpu', 'tensorflow'];
  const onProcessor: readonly BackendName[] = backends.filter((name) => !onGpu.includes(name));
  return [
    ...on(onGpu, conformance),
    ...each((backend) => timings(backend, first, ['topk'], small)),
    ...on(['cuda'], () => withAndWithout(first, small)),
    ...(python ? [peers(python, first, small)] : []),
    ...on(['cuda'], (backend) => timings(backend, first, rest, small, false)),
    ...on(['cuda', 'webgpu'], (backend) => [rows(backend, small)]),
    ...wider.flatMap((size) => [
      ...on(['cuda'], (backend) => timings(backend, size, ['topk'], small)),
      ...(python ? [peers(python, size, small)] : []),
    ]),
    ...on(['webgpu', 'tensorflow'], (backend) => timings(backend, first, rest, small, false)),
    ...each((backend) => architectureNames.flatMap((name) => trainings(backend, name, small))),
    ...on(['cuda', 'tensorflow', ...onProcessor], (backend) => [languageModel(backend, small)]),
    ...each((backend) => [
      lazyscope(`${backend} products`, ['bench', 'gemm', '--backend', backend], 60),
      ...(backend === 'webgpu' || backend === 'native' ? paths(backend, first) : []),
    ]),
    ...on(onProcessor, conformance),
    ...on(onProcessor, (backend) => timings(backend, first, rest, small, false)),
    ...wider.flatMap((size) => [
      ...each((backend) => timings(backend, size, backend === 'cuda' ? ['relu'] : ['topk', 'relu'], small)),
    ]),
    // It has no attention kernel and stores every pattern.
    ...on(['webgpu'], (backend) => [languageModel(backend, small)]),
  ];
}

/** The same steps without what is meant to make them faster, on the same machine and in the same minute: graphs, screening. And TopK's with AuxK. */
function withAndWithout(size: TrainingSize, small: boolean): Step[] {
  const without = (architecture: ArchitectureName, flag: string) =>
    lazyscope(
      `cuda ${architecture} ${size.d} × ${size.width}, ${flag.replaceAll('--', '')}`,
      words(
        `bench train --arch ${architecture} --backend cuda ${flags(size)} --steps ${small ? 2 : 10} ${flag}`,
      ),
      60,
    );
  return [
    without('topk', '--no-graphs'),
    without('batchtopk', '--no-graphs'),
    without('relu', '--no-graphs'),
    without('topk', `--dead ${Math.round(size.width / 12)}`),
    without('topk', `--dead ${Math.round(size.width / 12)} --no-graphs`),
    without('topk', `--dead ${Math.round(size.width / 2)}`),
    without('topk', '--no-screening'),
    without('jumprelu', '--no-screening'),
  ];
}

function languageModel(backend: BackendName, small: boolean): Step {
  const args = [backend, ...(small ? ['small'] : [])];
  return script(`${backend} language model`, 'languageModel.ts', args, 90);
}

/** Rows that stay on the device, beside those that go by the host. */
function rows(backend: BackendName, small: boolean): Step {
  return script(`${backend} rows`, 'rows.ts', [backend, ...(small ? ['small'] : [])], 60);
}

/** Trainings beside the reference, TopK with 16-bit copies too where the backend has them. */
function trainings(backend: BackendName, architecture: ArchitectureName, small: boolean): Step[] {
  const half = architecture === 'topk' && !small ? halves[backend] : undefined;
  return (['f32', ...(half ? [half] : [])] as const).map((storage) => ({
    ...script(
      `${backend} trains ${architecture}${storage === 'f32' ? '' : `, ${storage}`}`,
      'trainings.ts',
      [backend, architecture, small ? '60' : '1000', storage],
      90,
    ),
    beside: true,
  }));
}

/** Training steps, and on a device with 16-bit copies too unless they are left out. */
function timings(
  backend: BackendName,
  size: TrainingSize,
  architectures: readonly ArchitectureName[],
  small: boolean,
  copies = !small,
): Step[] {
  const half = copies ? halves[backend] : undefined;
  const storages = half ? ['f32', half] : ['f32'];
  return architectures.flatMap((architecture) =>
    storages.map((storage) => {
      const name = `${backend} ${architecture} ${size.d} × ${size.width}`;
      const command = `bench train --arch ${architecture} --backend ${backend} ${flags(size)} --steps ${small ? 2 : 10}`;
      const limit = backend === 'cuda' ? 90 : 45;
      return storage === 'f32'
        ? lazyscope(name, words(command), limit)
        : lazyscope(`${name}, ${storage}`, words(`${command} --storage ${storage}`), limit);
    }),
  );
}

const words = (command: string) => command.split(' ');
const flags = ({ d, width, k, batch }: TrainingSize) => `--d ${d} --width ${width} --k ${k} --batch ${batch}`;

/** ReLU with a list and with a matrix of what fires, at several densities: where they cross is where `auto` should change. */
function paths(backend: BackendName, { d, width, batch }: TrainingSize): Step[] {
  const latents = Math.min(width, 8_192);
  const shape = `--d ${d} --width ${latents} --batch ${Math.min(batch, 2_048)}`;
  return densities.flatMap((density) => {
    const l0 = Math.round(density * latents);
    return ['sparse', 'dense'].map((path) =>
      lazyscope(
        `${backend} relu ${path}, ${l0} of ${latents} fire`,
        words(`bench train --arch relu --backend ${backend} --path ${path} --steps 4 ${shape} --l0 ${l0}`),
        60,
      ),
    );
  });
}

function peers(python: string, size: TrainingSize, small: boolean): Step {
  const script = join(here, '..', 'peers', 'gpuTraining.py');
  const wide = size.width >= 2 ** 16;
  // Of a wide dictionary the fastest package and the fastest steps without one: each takes seconds, and drawing it on the processor a minute.
  const fewer = wide
    ? ['--draw', 'device', '--only', 'autograd, bf16;by hand, sparse;dictionary_learning, bf16']
    : [];
  const steps = small ? 2 : wide ? 6 : 20;
  return {
    name: `PyTorch topk ${size.d} × ${size.width}`,
    program: python,
    args: [script, ...words(`${flags(size)} --steps ${steps} --warmup ${small ? 1 : 3}`), ...fewer],
    limit: wide ? 90 : 60,
  };
}
