/**
 * Steers λ so that L0 reaches a target: a proportional–integral controller of log λ on the error e = log(L0 / L0*).
 *
 *     λ = λ₀ · exp(I + p·ē),   I ← I + g·ē once λ's warm-up is over,   ē = clamp(e, −½, ½),
 *
 * where L0 is averaged over about the last ten steps. L0 falls with λ and follows it within some tens of steps, so that the
 * integral must move more slowly than that; and λ must not leap while L0 is still far off, or most latents die (without the
 * clamp in λ, 69 % of 4,608 latents on SmolLM2-135M). *Choice*: no source gives p = 1 and g = 0.02. Of a grid they are among
 * those with which dictionaries whose L0 follows λ by power laws of exponent 0.5 to 1.5 and lags of 20 to 100 steps are
 * within 15 % of the target from step 660 on.
 */
import type { TrainingState } from '../spec/architectures/architecture.ts';

const proportional = 1;
const integral = 0.02;
const largestError = 0.5;
const smoothing = 0.1;

/** What the controller keeps between steps; `meanL0` is 0 before the first one. */
export const controllerStart = { integral: 0, meanL0: 0 } as const;

/** λ of this step. */
export function steeredCoefficient(base: number, target: number, state: TrainingState): number {
  return base * Math.exp(state.integral + proportional * errorOf(state.meanL0, target));
}

/** The controller after a step on which `l0` latents fired a token. `settled` says that λ's warm-up is over. */
export function afterStep(state: TrainingState, l0: number, target: number, settled: boolean): TrainingState {
  const meanL0 = state.meanL0 === 0 ? l0 : (1 - smoothing) * state.meanL0 + smoothing * l0;
  const moved = settled ? state.integral + integral * errorOf(meanL0, target) : state.integral;
  return { integral: moved, meanL0 };
}

/** ē = log(L0 / L0*), cut; a dictionary that has fallen silent counts as one latent in a hundred tokens. */
function errorOf(meanL0: number, target: number): number {
  if (meanL0 === 0) return 0;
  const error = Math.log(Math.max(meanL0, 0.01) / target);
  return Math.max(-largestError, Math.min(largestError, error));
}
