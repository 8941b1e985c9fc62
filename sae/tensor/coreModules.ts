/**
 * Loads single modules of tfjs-core's ES build on top of its CommonJS build.
 *
 * Node can load only the CommonJS build (the ES build imports files without their extension), and that build holds
 * every operation but neither the gradients nor the chained operators (`x.add(y)`). The union package
 * `@tensorflow/tfjs` has them, at the price of 230 MB of packages that nothing here uses. The ES build has them too,
 * one small file each, written by the TypeScript compiler in a handful of forms. This file evaluates those files, and
 * gives them the CommonJS build's own objects wherever they import something that it exports, so that there is one
 * engine, one registry and one class of tensors. What it does not recognise is an error at load, never a guess.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, posix } from 'node:path';
import { compileFunction } from 'node:vm';
import type * as Core from '@tensorflow/tfjs-core';

type Exports = Readonly<Record<string, unknown>>;

const require = createRequire(import.meta.url);
const folder = dirname(require.resolve('@tensorflow/tfjs-core'));

/** Folders and files that hold no state of their own: a second copy of these is as good as the first. */
const stateless =
  /^(gradients|ops|public\/chained_ops)\/\w+$|^(register_all_gradients|tensor_util_env|types)$/;

export class CoreModules {
  readonly #core: Exports;
  readonly #shared: Readonly<Record<string, Exports>>;
  readonly #evaluated = new Map<string, Exports>();

  constructor(core: typeof Core) {
    this.#core = core;
    this.#shared = {
      base: core,
      engine: { ENGINE: core.engine() },
      environment: core,
      kernel_names: core,
      kernel_registry: core,
      'ops/axis_util': core.backend_util,
      'ops/broadcast_util': core.broadcast_util,
      'ops/conv_util': core.backend_util,
      'ops/image/resize_bilinear': core.image,
      'ops/image/resize_nearest_neighbor': core.image,
      'ops/ops': core,
      'ops/slice_util': core.slice_util,
      tensor: { Tensor: core.Tensor, getGlobalTensorClass: () => core.Tensor },
      util: core.util,
      util_base: core.util,
    };
  }

  /** The paths, relative to `dist`, of the files evaluated so far. */
  get evaluated(): readonly string[] {
    return [...this.#evaluated.keys()];
  }

  /**
   * Evaluates the module at `path` (relative to tfjs-core's `dist`, without extension) and all that it imports and
   * tfjs-core does not export. Throws when a file has a form that isn't known here.
   */
  load(path: string): Exports {
    const known = this.#evaluated.get(path);
    if (known) return known;
    if (!stateless.test(path)) throw unknown(path, 'it may hold state that must exist once');
    const { body, imports, names } = parseModule(readFileSync(join(folder, `${path}.js`), 'utf8'), path);
    const exports: Record<string, unknown> = {};
    this.#evaluated.set(path, exports);
    const values = imports.map(({ from, name }) => {
      const target = posix.join(posix.dirname(path), from);
      return this.#import(target, name, path);
    });
    const parameters = imports.flatMap(({ as }) => (as === null ? [] : [as]));
    const run = compileFunction(`'use strict';\n${body}\nreturn { ${names.join(', ')} };`, parameters, {
      filename: join(folder, `${path}.js`),
    }) as (...values: unknown[]) => Exports;
    return Object.assign(exports, run(...values.filter((_, i) => imports[i].as !== null)));
  }

  #import(target: string, name: string | null, importer: string): unknown {
    const shared = this.#shared[target];
    if (name === null) return shared ?? this.load(target);
    // An operation that tfjs-core exports is the one in the file of ops/ that is imported.
    const from = shared ?? (target.startsWith('ops/') && name in this.#core ? this.#core : this.load(target));
    if (!(name in from)) throw unknown(importer, `${target} has no ${name}`);
    return from[name];
  }
}

interface ModuleText {
  body: string;
  /** `name` null: the whole module; `as` null: imported for its effects only. */
  imports: { from: string; name: string | null; as: string | null }[];
  /** What it exports. */
  names: string[];
}

/** Takes the imports and exports out of a module's text. Exported for its test. */
export function parseModule(text: string, path: string): ModuleText {
  const imports: ModuleText['imports'] = [];
  const names: string[] = [];
  const lines = text.split('\n').map((line) => {
    if (!/^(import|export)\b/.test(line)) return line;
    const named = /^import \{ ([\w$, ]+) \} from '(\.[^']+)';$/.exec(line);
    if (named) {
      for (const part of named[1].split(', ')) {
        const [name, as = name] = part.split(' as ');
        imports.push({ from: named[2], name, as });
      }
      return '';
    }
    const whole = /^import \* as (\w+) from '(\.[^']+)';$/.exec(line);
    if (whole) {
      imports.push({ from: whole[2], name: null, as: whole[1] });
      return '';
    }
    const effects = /^import '(\.[^']+)';$/.exec(line);
    if (effects) {
      imports.push({ from: effects[1], name: null, as: null });
      return '';
    }
    const declared = /^export ((?:const|var|function|async function) (\w+)\b.*)$/.exec(line);
    if (declared) {
      names.push(declared[2]);
      return declared[1];
    }
    throw unknown(path, `its line '${line}' has a form that is not known`);
  });
  return { body: lines.join('\n'), imports, names };
}

function unknown(path: string, why: string): Error {
  return new Error(
    `tfjs-core's dist/${path}.js can't be loaded by sae/tensor/coreModules.ts: ${why}. Is @tensorflow/tfjs-core the version that package.json pins? Run npm ci.`,
  );
}
