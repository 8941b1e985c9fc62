/**
 * Several hook points in one name, "blocks.1.hook_resid_post,blocks.2.hook_resid_post": their activations one after another, each brought to one
 * size, are what a crosscoder reads and reconstructs. The names of single hook points have no comma.
 */
export type JointHook = `${string},${string}`;

export function isJoint(hook: string): hook is JointHook {
  return hook.includes(',');
}

/** The hook points that a name stands for: itself alone, unless it is a joint one. */
export function hooksIn(hook: string): string[] {
  return hook.split(',');
}
