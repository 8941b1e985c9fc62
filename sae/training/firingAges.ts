/** Since how many tokens each latent has not fired. */

/** Notes on how many of `rows` tokens each latent fired, and returns the sum. */
export function age(
  dictionary: { readonly sinceFired: Float64Array; dead: Int32Array },
  firings: Int32Array,
  rows: number,
  deadAfter: number,
): number {
  const { sinceFired } = dictionary;
  const fired = noteFirings(sinceFired, firings, rows);
  dictionary.dead = deadLatents(sinceFired, deadAfter);
  return fired;
}

// A device has nothing to do while the host decides what the next step needs. V8 compiles a loop while it runs for the first time, and what follows the loop, which
// it hasn't seen by then, makes it give the compiled code up whenever it gets there. So nothing follows the loops of these functions.

function noteFirings(sinceFired: Float64Array, firings: Int32Array, rows: number): number {
  let fired = 0;
  for (let i = 0; i < sinceFired.length; i++) {
    const count = firings[i];
    sinceFired[i] = count > 0 ? 0 : sinceFired[i] + rows;
    fired += count;
  }
  return fired;
}

function countDead(sinceFired: Float64Array, deadAfter: number): number {
  let dead = 0;
  for (let i = 0; i < sinceFired.length; i++) if (sinceFired[i] >= deadAfter) dead++;
  return dead;
}

const none = new Int32Array(0);

/** Latents that have not fired for so many tokens, ascending. */
export function deadLatents(sinceFired: Float64Array, deadAfter: number): Int32Array {
  const count = countDead(sinceFired, deadAfter);
  if (count === 0) return none;
  const dead = new Int32Array(count);
  for (let i = 0, at = 0; at < dead.length; i++) if (sinceFired[i] >= deadAfter) dead[at++] = i;
  return dead;
}
