import type { Program } from '../programs.ts';
import { remembered } from '../remembered.ts';

/**
 * Writes groups [dispatches, 3], the numbers of workgroups (x, y, 1) of some dispatches: those given if `count` [] is within the limits, and
 * none otherwise, so that the dispatches do nothing. Runs as one workgroup.
 */
export const gate = remembered(
  (
    limits: { least: number; most: number },
    dispatches: readonly (readonly [x: number, y: number])[],
  ): Program => {
    return {
      label: 'gate',
      bindings: [
        ['count', 'read', 'u32'],
        ['groups_', 'write', 'u32'],
      ],
      uniforms: {
        least: ['u32', limits.least],
        most: ['u32', limits.most],
        ...Object.fromEntries(
          dispatches.flatMap(([x, y], i) => [
            [`x${i}`, ['u32', x]],
            [`y${i}`, ['u32', y]],
          ]),
        ),
      },
      threads: 1,
      body: `
  let open = count[0] >= u.least && count[0] <= u.most;
  ${dispatches
    .map((_, i) =>
      [`u.x${i}`, `u.y${i}`, '1u']
        .map((groups, j) => `groups_[${3 * i + j}] = select(0u, ${groups}, open);`)
        .join(' '),
    )
    .join('\n  ')}`,
    };
  },
);
