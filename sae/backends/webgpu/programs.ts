/**
 * Compiles and runs custom WGSL kernels. A program is a WGSL body with a list of its bindings, whose declarations are generated here, so that
 * declarations and operands cannot disagree. Each text is compiled once, and dispatches are recorded into the same pass as TF.js's
 * kernels, so that each sees what earlier ones wrote.
 */
import type { Tf } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { type Collectives, collectiveFunctions } from './kernels/collectives.ts';

/** WGSL's name of the type in which numbers are stored. */
export type Storage = 'f32' | 'f16';

/** A storage buffer of a program, declared as `array<element>` with read or read-write access. */
export type Binding = readonly [name: string, access: 'read' | 'write', element: string];

export interface Program {
  /** Name of the kernel, for timestamps and messages. */
  readonly label: string;
  readonly bindings: readonly Binding[];
  /** Fields of `u`, 4 bytes each, and their values. */
  readonly uniforms: Readonly<Record<string, readonly ['u32' | 'f32' | 'i32', number]>>;
  /** WGSL directives, besides the extensions that its bindings and collectives need. */
  readonly directives?: readonly string[];
  /** Number of threads in a workgroup. */
  readonly threads: number;
  /**
   * The things that workgroups handle one each: the name of the variable that holds the workgroup's number, and how many there are. It is
   * left out where a workgroup does not handle a single thing. `group`, `groupIndex` and `thread`, the thread's number in the workgroup,
   * are defined in any case.
   */
  readonly each?: readonly [name: string, count: string];
  /** The sums over a workgroup that the program calls. */
  readonly collectives?: Collectives;
  /** WGSL outside of the entry point: functions, constants and variables. */
  readonly functions?: string;
  /** WGSL of the entry point's body. */
  readonly body: string;
}

/** Numbers of workgroups that the device computes: three words for each dispatch; this one uses those at index `place`. */
export interface DecidedGroups {
  /** A tensor made by `DeviceBackend.groupCounts`. */
  readonly counts: Tf.TensorInfo;
  readonly place: number;
}

export type Groups = number | readonly [number, number] | DecidedGroups;

interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

export class Programs {
  readonly #backend: DeviceBackend;
  readonly #subgroups: boolean;
  readonly #pipelines = new Map<string, Compiled>();

  /** `subgroups` says whether threads of a subgroup may exchange values (subgroups.ts). */
  constructor(backend: DeviceBackend, { subgroups }: { subgroups: boolean }) {
    this.#backend = backend;
    this.#subgroups = subgroups;
  }

  /**
   * Records one dispatch over `groups` workgroups; one-dimensional ones may exceed the device's limit and are folded,
   * see `groupIndex` below. `operands` in the order of the bindings.
   */
  run(program: Program, operands: readonly Tf.TensorInfo[], groups: Groups): void {
    this.#backend.spending('record', () => this.#run(program, operands, groups));
  }

  #run(program: Program, operands: readonly Tf.TensorInfo[], groups: Groups): void {
    const backend = this.#backend;
    const dispatch = this.#dispatch(groups);
    if (!dispatch) return;
    backend.check();
    const { pipeline, layout } = this.#pipeline(program);
    const buffers = operands.map((operand) => backend.bufferOf(operand));
    const entries = [...buffers, this.#uniforms(program)].map((buffer, binding) => ({
      binding,
      resource: { buffer },
    }));
    const group = backend.device.createBindGroup({ layout, entries });
    backend.hold(operands);
    program.bindings.forEach(([, access], i) => {
      if (access === 'write') backend.changed(operands[i]);
    });
    const encode = (pass: GPUComputePassEncoder) => {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      dispatch(pass);
    };
    backend.record(program.label, encode, areMany(groups));
  }

  /** Records the dispatch itself; null where there are no workgroups. */
  #dispatch(groups: Groups): ((pass: GPUComputePassEncoder) => void) | null {
    if (typeof groups === 'object' && 'counts' in groups) {
      const { counts, place } = groups;
      const buffer = this.#backend.bufferOf(counts);
      this.#backend.hold([counts]);
      return (pass) => pass.dispatchWorkgroupsIndirect(buffer, 12 * place);
    }
    const [x, y] = typeof groups === 'number' ? this.folded(groups) : groups;
    return x === 0 || y === 0 ? null : (pass) => pass.dispatchWorkgroups(x, y);
  }

  /** At least this many workgroups, in two dimensions. */
  folded(groups: number): [number, number] {
    const rows = Math.ceil(groups / this.#backend.device.limits.maxComputeWorkgroupsPerDimension);
    return [Math.ceil(groups / Math.max(1, rows)), rows];
  }

  #uniforms(program: Program): GPUBuffer {
    const bytes = uniformBytes(program);
    const backend = this.#backend;
    const buffer = backend.bufferManager.acquireBuffer(
      bytes.byteLength,
      GPUBufferUsage.COPY_DST | GPUBufferUsage.UNIFORM,
    );
    backend.queue.writeBuffer(buffer, 0, bytes);
    backend.uniformPendingDisposal.push(buffer);
    return buffer;
  }

  #pipeline(program: Program): Compiled {
    const code = sourceOf(program, this.#subgroups);
    const known = this.#pipelines.get(code);
    if (known) return known;
    const { device } = this.#backend;
    const { label } = program;
    const shader = device.createShaderModule({ label, code });
    const buffers: GPUBufferBindingType[] = program.bindings.map(([, access]) =>
      access === 'read' ? 'read-only-storage' : 'storage',
    );
    const entries = [...buffers, 'uniform' as const].map((type, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type },
    }));
    const layout = device.createBindGroupLayout({ entries });
    const pipeline = device.createComputePipeline({
      label,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: shader, entryPoint: 'main' },
    });
    const made = { pipeline, layout };
    this.#pipelines.set(code, made);
    return made;
  }
}

/** The uniforms of a program as they are in memory. */
export function uniformBytes({ uniforms }: Program): ArrayBuffer {
  const values = Object.values(uniforms);
  const bytes = new DataView(new ArrayBuffer(Math.max(16, Math.ceil(values.length / 4) * 16)));
  values.forEach(([type, value], i) => {
    if (type === 'f32') bytes.setFloat32(i * 4, value, true);
    else if (type === 'i32') bytes.setInt32(i * 4, value, true);
    else bytes.setUint32(i * 4, value, true);
  });
  return bytes.buffer;
}

/** Whether workgroups keep even a large GPU busy for some time. */
function areMany(groups: Groups): boolean {
  if (typeof groups === 'object' && 'counts' in groups) return true;
  return (typeof groups === 'number' ? groups : groups[0] * groups[1]) >= 1024;
}

/** The whole WGSL text of a program. */
export function sourceOf(program: Program, subgroups: boolean): string {
  const { bindings, uniforms, directives = [], threads, each, collectives, functions = '', body } = program;
  const half = bindings.some(([, , element]) => element.includes('f16'));
  const shared = subgroups && collectives !== undefined;
  const fields = Object.entries(uniforms).map(([name, [type]]) => `${name}: ${type},`);
  const declarations = bindings.map(
    ([name, access, element], i) =>
      `@group(0) @binding(${i}) var<storage, ${access === 'read' ? 'read' : 'read_write'}> ${name}: array<${element}>;`,
  );
  return `${half ? 'enable f16;\n' : ''}${shared ? 'enable subgroups;\n' : ''}${directives.join('\n')}
struct Uniforms { ${fields.join(' ') || 'unused: u32,'} }
${declarations.join('\n')}
@group(0) @binding(${bindings.length}) var<uniform> u: Uniforms;
${collectives ? collectiveFunctions(threads, collectives, subgroups) : ''}
${functions}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) thread: u32 ${shared ? ', @builtin(subgroup_size) lanes: u32' : ''}) {
  ${collectives && !shared ? 'let lanes = 1u;' : ''}
  // The last workgroups of a folded dispatch may be beyond the number wanted.
  let groupIndex = group.x + group.y * groups.x;
  ${each ? `let ${each[0]} = groupIndex;\n  if (${each[0]} >= ${each[1]}) { return; }` : ''}
${body}
}`;
}
