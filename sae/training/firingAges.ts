/** Since how many tokens each latent has not fired. */

/**
 * Notes on how many of `rows` tokens each latent fired, and returns the sum. In one pass, because a device has nothing to do
 * while the host decides what the next step needs.
 */
export function age(
  dictionary: { readonly sinceFired: Float64Array; dead: Int32Array },
  firings: Int32Array,
  rows: number,
  deadAfter: number,
): number {
  const { sinceFired } = dictionary;
  let [fired, dead] = [0, 0];
  for (let i = 0; i < sinceFired.length; i++) {
    const count = firings[i];
    const since = count > 0 ? 0 : sinceFired[i] + rows;
    sinceFired[i] = since;
    fired += count;
    if (since >= deadAfter) dead++;
  }
  dictionary.dead = dead === 0 ? none : deadLatents(sinceFired, deadAfter);
  return fired;
}

const none = new Int32Array(0);

/** Latents that have not fired for so many tokens, ascending. */
export function deadLatents(sinceFired: Float64Array, deadAfter: number): Int32Array {
  let count = 0;
  for (const tokens of sinceFired) if (tokens >= deadAfter) count++;
  const dead = new Int32Array(count);
  for (let i = 0, at = 0; at < count; i++) if (sinceFired[i] >= deadAfter) dead[at++] = i;
  return dead;
}
