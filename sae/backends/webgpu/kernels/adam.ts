/** WGSL of one Adam step (Kingma & Ba, 1412.6980, ε outside of the root), shared by all programs that end with one. */
import type { AdamSettings } from '../../../ops/fusedKernels.ts';
import { type Binding, type Program, withUniforms } from '../programs.ts';
import { remembered } from '../remembered.ts';

/** Bindings of the moments and, where gradients are clipped, of the factor that they are multiplied by. */
export function adamBindings(clipped: boolean): Binding[] {
  return [
    ['first', 'write', 'f32'],
    ['second', 'write', 'f32'],
    ...(clipped ? [['clip', 'read', 'f32'] as const] : []),
  ];
}

type AdamNumbers = Pick<AdamSettings, 'learningRate' | 'beta1' | 'beta2' | 'epsilon' | 'step'>;

export function adamUniforms(adam: AdamNumbers): Program['uniforms'] {
  const { learningRate, beta1, beta2, epsilon, step } = adam;
  return {
    rate: ['f32', learningRate / (1 - beta1 ** step)],
    beta1: ['f32', beta1],
    rest1: ['f32', 1 - beta1],
    beta2: ['f32', beta2],
    rest2: ['f32', 1 - beta2],
    root: ['f32', 1 / Math.sqrt(1 - beta2 ** step)],
    epsilon: ['f32', epsilon],
  };
}

/** In place of the settings of a step, whose numbers a program is given each time that it runs. */
export const noStep: AdamNumbers = { learningRate: 0, beta1: 0, beta2: 0, epsilon: 0, step: 1 };

/** WGSL that returns the new value of a parameter and updates its moments in place. */
export const adamStep = `
fn adamStep(at: u32, value: f32, gradient: f32) -> f32 {
  let m = u.beta1 * first[at] + u.rest1 * gradient;
  let v = u.beta2 * second[at] + u.rest2 * gradient * gradient;
  first[at] = m;
  second[at] = v;
  return value - u.rate * m / (sqrt(v) * u.root + u.epsilon);
}`;

/** An Adam step of a vector whose gradient is `gradient[offset …]`. */
export function vectorUpdate(size: { length: number; offset: number }, adam: AdamSettings): Program {
  const clipped = adam.clipNorm !== null;
  return withUniforms(vectorProgram(clipped), {
    length: ['u32', size.length],
    offset: ['u32', size.offset],
    ...adamUniforms(adam),
  });
}

const vectorProgram = remembered((clipped: boolean): Program => ({
  label: 'updateVector',
  bindings: [['gradient', 'read', 'f32'], ['w', 'write', 'f32'], ...adamBindings(clipped)],
  uniforms: { length: ['u32', 0], offset: ['u32', 0], ...adamUniforms(noStep) },
  threads: 64,
  functions: adamStep,
  body: `
  let i = groupIndex * 64u + thread;
  if (i >= u.length) { return; }
  w[i] = adamStep(i, w[i], gradient[u.offset + i] ${clipped ? '* clip[0]' : ''});`,
}));
