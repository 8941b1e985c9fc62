import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CoreModules, parseModule } from './coreModules.ts';
import { tf } from './tf.ts';

const dist = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-core'));

describe('what a module’s text may look like', () => {
  test('imports by name, under another name, whole and for their effects; constants and functions exported', () => {
    const text = [
      "import { a, b as c } from '../ops/x';",
      "import * as util from '../util';",
      "import './effects';",
      'export var Rank;',
      'export const first = (x) => a(x) + c(x);',
      'export function second(y) {',
      '    return util.twice(y);',
      '}',
    ].join('\n');
    const { imports, names, body } = parseModule(text, 'gradients/Example');
    expect(imports).toEqual([
      { from: '../ops/x', name: 'a', as: 'a' },
      { from: '../ops/x', name: 'b', as: 'c' },
      { from: '../util', name: null, as: 'util' },
      { from: './effects', name: null, as: null },
    ]);
    expect(names).toEqual(['Rank', 'first', 'second']);
    expect(body).toContain('\nconst first = (x) => a(x) + c(x);\nfunction second(y) {\n');
  });

  test.each([
    "import fallback from './x';",
    "import { a } from 'another-package';",
    "export * from './x';",
    'export default 1;',
    'export { a };',
    'export let counter = 0;',
    'export class Engine {',
  ])('any other form is refused: %s', (line) => {
    expect(() => parseModule(line, 'gradients/Example')).toThrow(
      /gradients\/Example\.js.*has a form.*npm ci/,
    );
  });
});

describe('loading', () => {
  test.each(['engine', 'tensor', 'kernel_registry', 'flags'])(
    '%s exists once and is not evaluated again',
    (path) => {
      expect(() => new CoreModules(tf).load(path)).toThrow(/may hold state that must exist once/);
    },
  );

  test('a name that the module does not have is refused', () => {
    const { Abs: _, ...without } = tf;
    expect(() => new CoreModules(without as typeof tf).load('gradients/Abs_grad')).toThrow(
      /gradients\/Abs_grad\.js.*kernel_names has no Abs/,
    );
  });

  test('only operations that tfjs-core does not export are evaluated a second time', () => {
    const modules = new CoreModules(tf);
    modules.load('register_all_gradients');
    const own = modules.evaluated.filter((path) => path.startsWith('ops/'));
    expect(own.length).toBeGreaterThan(0);
    const camel = (path: string) =>
      path.slice('ops/'.length).replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    for (const path of own) expect(Object.keys(tf)).not.toContain(camel(path));
  });
});

test('every gradient that tfjs-core lists is registered', () => {
  const list = readFileSync(join(dist, 'register_all_gradients.js'), 'utf8');
  const files = [...list.matchAll(/from '\.\/(gradients\/\w+)'/g)].map(([, path]) => path);
  expect(files.length).toBeGreaterThan(90);
  for (const path of files) {
    const [config] = Object.values(new CoreModules(tf).load(path)) as { kernelName: string }[];
    expect(tf.getGradient(config.kernelName), path).toBeTruthy();
  }
});

test('every chained operator that tfjs-core lists is a method of tensors', () => {
  const list = readFileSync(join(dist, 'public/chained_ops/register_all_chained_ops.js'), 'utf8');
  const files = [...list.matchAll(/import '\.\/(\w+)'/g)].map(([, name]) => name);
  expect(files.length).toBeGreaterThan(100);
  for (const name of files) {
    const text = readFileSync(join(dist, `public/chained_ops/${name}.js`), 'utf8');
    const methods = [...text.matchAll(/^getGlobalTensorClass\(\)\.prototype\.(\w+) =/gm)].map(([, m]) => m);
    expect(methods.length, name).toBeGreaterThan(0);
    for (const method of methods) expect(tf.Tensor.prototype, name).toHaveProperty(method);
  }
});

test('a gradient through chained operators is the known one: d/dx Σ (2x + 1)² = 4 (2x + 1)', () => {
  const x = tf.tensor1d([0.5, -2, 3]);
  const gradient = tf.grad((t) => t.mul(2).add(1).square().sum())(x);
  expect([...gradient.dataSync()]).toEqual([8, -12, 28]);
  tf.dispose([x, gradient]);
});

test('a gradient that needs an operation of tfjs-core’s own: max pooling hands it to the largest', () => {
  const x = tf.tensor4d([1, 5, 2, 3], [1, 2, 2, 1]);
  const gradient = tf.grad((t) => tf.maxPool(t as typeof x, 2, 2, 'valid').sum())(x);
  expect([...gradient.dataSync()]).toEqual([0, 1, 0, 0]);
  tf.dispose([x, gradient]);
});
