/** WGSL of one Adam step (Kingma & Ba, 1412.6980, ε outside of the root), shared by all programs that end with one. */
import type { AdamSettings } from '../../../ops/fusedKernels.ts';
import type { Binding, Program } from '../programs.ts';

/** Bindings of the moments and, where gradients are clipped, of the factor that they are multiplied by. */
export function adamBindings({ clipNorm }: AdamSettings): Binding[] {
  return [
    ['first', 'write', 'f32'],
    ['second', 'write', 'f32'],
    ...(clipNorm === null ? [] : [['clip', 'read', 'f32'] as const]),
  ];
}

export function adamUniforms(adam: AdamSettings): Program['uniforms'] {
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
  return {
    label: 'updateVector',
    bindings: [['gradient', 'read', 'f32'], ['w', 'write', 'f32'], ...adamBindings(adam)],
    uniforms: { length: ['u32', size.length], offset: ['u32', size.offset], ...adamUniforms(adam) },
    threads: 64,
    functions: adamStep,
    body: `
  let i = groupIndex * 64u + thread;
  if (i >= u.length) { return; }
  w[i] = adamStep(i, w[i], gradient[u.offset + i] ${adam.clipNorm === null ? '' : '* clip[0]'});`,
  };
}
