import type { ActivationPiece } from './activationSource.ts';

/** Rows of single vectors joined to contexts of `contextLength`, where that is given; `leave` is told how many are left at the end. */
export async function* joinedContexts(
  pieces: AsyncGenerator<ActivationPiece, void, void>,
  contextLength: number | undefined,
  leave: (rows: number) => void,
): AsyncGenerator<ActivationPiece, void, void> {
  let rest: ActivationPiece | undefined;
  for await (const piece of pieces) {
    if (contextLength === undefined || piece.positions !== 1) {
      yield piece;
      continue;
    }
    const joined: ActivationPiece = rest ? join(rest, piece) : piece;
    const contexts = Math.floor(joined.contexts / contextLength);
    const whole = contexts * contextLength;
    if (contexts > 0) yield { ...part(joined, 0, whole), contexts, positions: contextLength };
    rest = whole < joined.contexts ? part(joined, whole, joined.contexts) : undefined;
  }
  if (rest) leave(rest.contexts);
}

function part(
  { activations, tokens, positions }: ActivationPiece,
  from: number,
  to: number,
): ActivationPiece {
  return {
    contexts: to - from,
    positions,
    activations: new Map(
      [...activations].map(([name, { width, values }]) => [
        name,
        { width, values: values.subarray(from * width, to * width) },
      ]),
    ),
    tokens: tokens?.subarray(from, to) ?? null,
  };
}

function join(first: ActivationPiece, second: ActivationPiece): ActivationPiece {
  return {
    contexts: first.contexts + second.contexts,
    positions: 1,
    activations: new Map(
      [...first.activations].map(([name, { width, values }]) => {
        const other = second.activations.get(name)?.values ?? new Float32Array(0);
        const both = new Float32Array(values.length + other.length);
        both.set(values);
        both.set(other, values.length);
        return [name, { width, values: both }];
      }),
    ),
    tokens: first.tokens && second.tokens ? Int32Array.from([...first.tokens, ...second.tokens]) : null,
  };
}
