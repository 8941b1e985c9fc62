/**
 * Loads an add-on in a process of its own and lets it compute: a library that needs instructions which the processor lacks ends the process that
 * loads it, and that must be neither the installer nor `lazyscope doctor`.
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { z } from 'zod';
import { LazyscopeError } from '../../../errors.ts';
import { deviceSchema, type AddonPlace, type TensorflowDevice } from './installation.ts';

export interface TriedAddon {
  /** What the library says of itself. */
  tensorflow: string;
  devices: TensorflowDevice[];
  /** Lines in which TensorFlow says why it doesn't use a GPU. */
  complaints: string[];
}

/**
 * The devices are listed through the library's C API, for the add-on has no function for them. The product tells whether what was linked
 * also computes: [[1, 2], [3, 4]] · [[5], [6]] = [[17], [39]].
 */
const program = `
const [koffiPath, addon, library] = process.argv.slice(1);
const binding = require(addon);
const float = (shape, values) => binding.createTensor(shape, binding.TF_FLOAT, Float32Array.from(values));
const flag = (name) => ({ name, type: binding.TF_ATTR_BOOL, value: false });
const [product] = binding.executeOp('MatMul',
  [flag('transpose_a'), flag('transpose_b'), { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT }],
  [float([2, 2], [1, 2, 3, 4]), float([2, 1], [5, 6])], 1);
const devices = [];
if (library) {
  const koffi = require(koffiPath);
  const api = koffi.load(library);
  const status = api.func('void* TF_NewStatus()')();
  const context = api.func('void* TFE_NewContext(void*, void*)')(api.func('void* TFE_NewContextOptions()')(), status);
  const list = api.func('void* TFE_ContextListDevices(void*, void*)')(context, status);
  const type = api.func('const char* TF_DeviceListType(void*, int, void*)');
  const memory = api.func('int64_t TF_DeviceListMemoryBytes(void*, int, void*)');
  for (let i = 0; i < api.func('int TF_DeviceListCount(void*)')(list); i++)
    devices.push({ type: type(list, i, status), model: null, memoryBytes: Number(memory(list, i, status)) });
} else devices.push({ type: binding.isUsingGpuDevice() ? 'GPU' : 'CPU', model: null, memoryBytes: 0 });
console.log(JSON.stringify({ tensorflow: binding.TF_Version, product: [...binding.tensorDataSync(product.id)], devices }));
`;

const answerSchema = z.object({
  tensorflow: z.string(),
  product: z.array(z.number()),
  devices: z.array(deviceSchema),
});

/** Throws `unavailable` with what stopped the add-on from loading or computing. */
export async function tryAddon(
  { addon, libraries, source }: AddonPlace,
  signal?: AbortSignal,
): Promise<TriedAddon> {
  const koffi = createRequire(import.meta.url).resolve('koffi');
  const child = spawn(process.execPath, ['-e', program, koffi, addon, libraries[0] ?? ''], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Its log names the GPUs, or says why there are none.
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '0' },
    signal,
  });
  let [out, log] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = await new Promise<number | string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, killedBy) => resolve(killedBy ?? code ?? -1));
  });
  if (ended !== 0) throw failure(ended, log, source);
  const answer = answerSchema.parse(JSON.parse(out.trim().split('\n').at(-1) ?? ''));
  if (answer.product.join() !== '17,39')
    throw new LazyscopeError(
      'unavailable',
      `TensorFlow ${answer.tensorflow} from ${source} computes wrong products here (${answer.product.join(', ')}): take another build of it.`,
    );
  const models = [...log.matchAll(/\bdevice: \d+, name: ([^,\n]+), pci bus id/g)].map(([, name]) => name);
  const devices = answer.devices.map((device) => ({
    ...device,
    model: device.type === 'GPU' ? (models.shift() ?? null) : null,
  }));
  return { tensorflow: answer.tensorflow, devices, complaints: complaintsIn(log) };
}

/** Without the prefix of TensorFlow's log: level, time, thread and source. */
const withoutPrefix = (line: string) => line.replace(/^.*?\.(cc|h|cpp):\d+\] /, '');

function complaintsIn(log: string): string[] {
  return log
    .split('\n')
    .filter((line) => /cuda|gpu|cudnn/i.test(line) && /could not|cannot|fail|not find|skipping/i.test(line))
    .map(withoutPrefix);
}

function failure(ended: number | string, log: string, source: string): LazyscopeError {
  const cause = new Error(log);
  const say = (why: string) =>
    new LazyscopeError('unavailable', `TensorFlow from ${source} doesn't load: ${why}`, { cause });
  if (ended === 'SIGILL')
    return say('it needs instructions that this processor lacks; take a build made for this processor.');
  if (ended === 'SIGSEGV' || ended === 'SIGABRT')
    return say(`it ended with ${ended}; take another version of TensorFlow, and a wheel that is whole.`);
  const line =
    log
      .split('\n')
      .find((text) => text.startsWith('Error: '))
      ?.slice('Error: '.length) ?? `it ended with ${ended}`;
  if (/undefined symbol|symbol not found/i.test(line))
    return say(
      `${line}; take a TensorFlow 2 of another version, this one lacks a function that the add-on calls.`,
    );
  if (/GLIBC|GLIBCXX|CXXABI/.test(line))
    return say(`${line}; this system's C library is too old for that build.`);
  return say(`${line}; run lazyscope tensorflow install again.`);
}

/** In a line: version, devices and where the library is from. */
export function describeTried({ tensorflow, devices }: TriedAddon, source: string): string {
  const names = devices.map(({ type, model, memoryBytes }) =>
    type === 'CPU'
      ? type
      : `${type} (${model ?? 'model unknown'}, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB)`,
  );
  return `TensorFlow ${tensorflow} on ${names.join(', ')}, from ${source}`;
}
