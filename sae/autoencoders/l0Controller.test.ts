/** The controller on a made-up dictionary whose L0 follows λ as trained ones do: a power law, with a lag. */
import { expect, test } from 'vitest';
import { Random } from '../numerics/random.ts';
import { afterStep, controllerStart, steeredCoefficient } from './l0Controller.ts';

function simulate(options: { exponent: number; lag: number; gain: number; target: number; steps: number }) {
  const { exponent, lag, gain, target, steps } = options;
  const random = Random.fromSeed(4);
  let state: ReturnType<typeof afterStep> = controllerStart;
  let l0 = 900;
  const course: number[] = [];
  for (let step = 0; step < steps; step++) {
    const warm = Math.min(1, step / 40);
    const coefficient = steeredCoefficient(0.8 * warm, target, state);
    // No more latents can fire than there are.
    const settledAt = Math.min(5000, gain * Math.max(coefficient, 1e-6) ** -exponent);
    l0 += (settledAt - l0) / lag;
    const measured = l0 * Math.exp(0.03 * (random.uniform() - 0.5));
    state = afterStep(state, measured, target, warm === 1);
    course.push(l0);
  }
  return course;
}

test.each([
  ['a dictionary that is too dense', { exponent: 0.7, lag: 30, gain: 300, target: 32, steps: 800 }],
  ['one that is too sparse', { exponent: 0.7, lag: 30, gain: 3, target: 32, steps: 800 }],
  ['one that follows slowly', { exponent: 0.5, lag: 60, gain: 120, target: 16, steps: 800 }],
  ['one that reacts strongly', { exponent: 1.2, lag: 20, gain: 200, target: 64, steps: 800 }],
  ['one with a long lag', { exponent: 1, lag: 100, gain: 100, target: 32, steps: 800 }],
  ['one that is on the target at first', { exponent: 0.8, lag: 25, gain: 32, target: 32, steps: 800 }],
])('%s has the target, within 15 %%, from step 660 on', (_, plant) => {
  for (const l0 of simulate(plant).slice(660)) {
    expect(l0 / plant.target).toBeGreaterThan(0.85);
    expect(l0 / plant.target).toBeLessThan(1.15);
  }
});

test('λ does not move before a step was made, nor does the integral during its warm-up', () => {
  expect(steeredCoefficient(0.8, 32, controllerStart)).toBe(0.8);
  const state = afterStep(controllerStart, 640, 32, false);
  expect(state).toEqual({ integral: 0, meanL0: 640 });
  // However far off L0 is, λ leaps by no more than a factor of √e.
  expect(steeredCoefficient(1, 32, state)).toBeCloseTo(Math.exp(0.5), 12);
});

test('a silent dictionary lowers λ instead of making it infinite', () => {
  const state = afterStep(afterStep(controllerStart, 5, 32, true), 0, 32, true);
  expect(Number.isFinite(steeredCoefficient(1, 32, { ...state, meanL0: 1e-9 }))).toBe(true);
  expect(state.integral).toBeLessThan(0);
});
