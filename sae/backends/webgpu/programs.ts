/**
 * Compiles and runs custom WGSL kernels. A program is a WGSL body with a list of its bindings, whose declarations are generated here, so that
 * declarations and operands cannot disagree. Each text is compiled once, and dispatches are recorded into the same pass as TF.js's
 * kernels, so that each sees what earlier ones wrote.
 *
 * The functions that make programs are `remembered`, because a host takes longer to put a text together and to find its pipeline than to record a dispatch.
 */
import type { Tf } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { type Collectives, collectiveFunctions } from './kernels/collectives.ts';
import { Uniforms, uniformSize, type UniformValues } from './uniforms.ts';

/** WGSL's name of the type in which numbers are stored. */
export type Storage = 'f32' | 'f16';

/** A storage buffer of a program, declared as `array<element>` with read or read-write access. */
export type Binding = readonly [name: string, access: 'read' | 'write', element: string];

export interface Program {
  /** Name of the kernel, for timestamps and messages. */
  readonly label: string;
  readonly bindings: readonly Binding[];
  /** Fields of `u`. */
  readonly uniforms: UniformValues;
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
  /** A program that differs only in the values of uniforms: see `withUniforms`. */
  readonly like?: Program;
}

/** The program with other values of some uniforms. */
export function withUniforms(program: Program, uniforms: Program['uniforms']): Program {
  for (const [name, [type]] of Object.entries(uniforms))
    if (program.uniforms[name]?.[0] !== type)
      throw new TypeError(`Program ${program.label} has no uniform ${name} of type ${type}.`);
  return { ...program, uniforms: { ...program.uniforms, ...uniforms }, like: program.like ?? program };
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
  readonly layout: Layout;
}

/** What programs with bindings of the same kinds share. */
interface Layout {
  readonly ofGroup: GPUBindGroupLayout;
  readonly ofPipeline: GPUPipelineLayout;
}

export class Programs {
  readonly #backend: DeviceBackend;
  readonly #subgroups: boolean;
  readonly #uniforms: Uniforms;
  /** Of workgroups in one dimension. */
  readonly #mostAcross: number;
  readonly #layouts = new Map<string, Layout>();
  readonly #pipelines = new Map<string, Compiled>();
  /** Those of programs that were run before. */
  readonly #known = new WeakMap<Program, Compiled>();

  /** `subgroups` says whether threads of a subgroup may exchange values (subgroups.ts). */
  constructor(backend: DeviceBackend, { subgroups }: { subgroups: boolean }) {
    this.#backend = backend;
    this.#subgroups = subgroups;
    this.#uniforms = new Uniforms(backend);
    this.#mostAcross = backend.device.limits.maxComputeWorkgroupsPerDimension;
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
    const { pipeline, layout } = this.#compiled(program);
    const uniforms = this.#uniforms;
    const place = uniforms.place(program.uniforms);
    const buffers = operands.map((operand) => backend.bufferOf(operand));
    const group = this.#group(layout, buffers);
    // Behind all that takes memory, which may submit what was recorded, and forget what it held.
    backend.hold(typeof groups === 'object' && 'counts' in groups ? [...operands, groups.counts] : operands);
    program.bindings.forEach(([, access], i) => {
      if (access === 'write') backend.changed(operands[i]);
    });
    const encode = (pass: GPUComputePassEncoder) => {
      pass.setPipeline(pipeline);
      uniforms.bind(pass, group, place);
      dispatch(pass);
    };
    backend.record(program.label, encode, areMany(groups));
  }

  /** Records the dispatch itself; null where there are no workgroups. */
  #dispatch(groups: Groups): ((pass: GPUComputePassEncoder) => void) | null {
    if (typeof groups === 'object' && 'counts' in groups) {
      const { counts, place } = groups;
      const buffer = this.#backend.bufferOf(counts);
      return (pass) => pass.dispatchWorkgroupsIndirect(buffer, 12 * place);
    }
    const [x, y] = typeof groups === 'number' ? this.folded(groups) : groups;
    return x === 0 || y === 0 ? null : (pass) => pass.dispatchWorkgroups(x, y);
  }

  /** At least this many workgroups, in two dimensions. */
  folded(groups: number): [number, number] {
    const rows = Math.ceil(groups / this.#mostAcross);
    return [Math.ceil(groups / Math.max(1, rows)), rows];
  }

  #group(layout: Layout, buffers: readonly GPUBuffer[]): GPUBindGroup {
    const { bindGroups, device } = this.#backend;
    return bindGroups.of(layout, buffers, () => {
      const resources = [
        ...buffers.map((buffer) => ({ buffer })),
        { buffer: this.#uniforms.buffer, size: uniformSize },
      ];
      const entries = resources.map((resource, binding) => ({ binding, resource }));
      return device.createBindGroup({ layout: layout.ofGroup, entries });
    });
  }

  #compiled(program: Program): Compiled {
    const text = program.like ?? program;
    const known = this.#known.get(text);
    if (known) return known;
    const compiled = this.#pipeline(text);
    this.#known.set(text, compiled);
    return compiled;
  }

  #pipeline(program: Program): Compiled {
    const code = sourceOf(program, this.#subgroups);
    const known = this.#pipelines.get(code);
    if (known) return known;
    const { device } = this.#backend;
    const { label } = program;
    const shader = device.createShaderModule({ label, code });
    const layout = this.#layout(program);
    const pipeline = device.createComputePipeline({
      label,
      layout: layout.ofPipeline,
      compute: { module: shader, entryPoint: 'main' },
    });
    const made = { pipeline, layout };
    this.#pipelines.set(code, made);
    return made;
  }

  #layout({ bindings }: Program): Layout {
    const key = bindings.map(([, access]) => access).join();
    const known = this.#layouts.get(key);
    if (known) return known;
    const { device } = this.#backend;
    const buffers: GPUBufferBindingLayout[] = [
      ...bindings.map(([, access]) => ({
        type: access === 'read' ? ('read-only-storage' as const) : ('storage' as const),
      })),
      { type: 'uniform', hasDynamicOffset: true },
    ];
    const ofGroup = device.createBindGroupLayout({
      entries: buffers.map((buffer, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer })),
    });
    const ofPipeline = device.createPipelineLayout({ bindGroupLayouts: [ofGroup] });
    const made = { ofGroup, ofPipeline };
    this.#layouts.set(key, made);
    return made;
  }
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
