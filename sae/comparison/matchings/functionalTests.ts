/**
 * What a latent and its supposed counterparts do to the model's predictions (METHODS.md §11), on contexts in which the latent fires. The
 * *fingerprint* of a latent is the change of the log-probabilities of each position's likeliest tokens when the latent is taken out of the stream,
 * x − f d. The *substitution* puts the counterpart in its place, x − f d + g c, with the activation that the other dictionary gives it.
 */
import type { Autoencoder, SparseCode } from '../../autoencoders/autoencoder.ts';
import { contextLosses, type ContextLossOptions } from '../../evaluation/contextLosses.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import { restrictedCode } from '../restrictedCode.ts';

export interface FunctionalTest {
  readonly latent: number;
  /** Latents of b that may stand for it. */
  readonly others: readonly number[];
  /** Where both are looked at, as in contextLosses. */
  readonly place: Omit<ContextLossOptions<string>, 'substitutes' | 'diverging' | 'progress' | 'inspect'>;
}

export interface FunctionalResult {
  /** KL from the unchanged model in nats a predicted token, and by how much the cross-entropy grows, when the latent is taken out. */
  readonly ablated: { readonly divergence: number; readonly crossEntropy: number };
  readonly others: ReadonlyMap<
    number,
    {
      /** Cosine of both latents' fingerprints; 0 where one does nothing. */
      readonly fingerprint: number;
      /** The same two with the other latent in its place. */
      readonly divergence: number;
      readonly crossEntropy: number;
    }
  >;
}

/** Tokens of each position whose log-probabilities are looked at, the likeliest of the unchanged model. */
const likeliest = 16;
/** Counterparts whose streams are held at once, two streams each. */
const atOnce = 8;

export async function functionalTest(
  a: Autoencoder,
  b: Autoencoder,
  { latent, others, place }: FunctionalTest,
): Promise<FunctionalResult> {
  const found: Map<number, { fingerprint: number; divergence: number; crossEntropy: number }> = new Map();
  let ablated = { divergence: NaN, crossEntropy: NaN };
  for (let from = 0; from === 0 || from < others.length; from += atOnce) {
    const some = others.slice(from, from + atOnce);
    const prints = new Fingerprints();
    const substitutes = substitutesOf(a, b, latent, some);
    const { crossEntropy, divergence } = await contextLosses<string>({
      ...place,
      substitutes,
      diverging: ['ablated', ...some.map(replacing)],
      inspect: (name, logits) => prints.add(name, logits),
    });
    const clean = meanOf(crossEntropy.clean);
    ablated = { divergence: meanOf(divergence.ablated!), crossEntropy: meanOf(crossEntropy.ablated) - clean };
    for (const other of some)
      found.set(other, {
        fingerprint: prints.cosine('ablated', without(other)),
        divergence: meanOf(divergence[replacing(other)]!),
        crossEntropy: meanOf(crossEntropy[replacing(other)]) - clean,
      });
  }
  return { ablated, others: found };
}

const without = (other: number) => `without ${other}`;
const replacing = (other: number) => `replacing by ${other}`;

function substitutesOf(a: Autoencoder, b: Autoencoder, latent: number, others: readonly number[]) {
  const own = only(a.latents, latent);
  const alone = new Map(others.map((other) => [other, only(b.latents, other)]));
  // All substitutes are given the same activations of a batch, `ablated` first.
  let codes: { a: SparseCode; b: SparseCode } | undefined;
  const part = (dictionary: Autoencoder, code: SparseCode, among: Uint8Array) =>
    dictionary.decode(restrictedCode(code, among)).sub<Tensor2D>(tf.tensor1d(dictionary.bDec));
  const ablate = (x: Tensor2D) => {
    codes = { a: a.encode(x), b: b.encode(x) };
    return tf.tidy(() => x.sub<Tensor2D>(part(a, codes!.a, own)));
  };
  const substitutes: Record<string, (x: Tensor2D) => Tensor2D> = { ablated: ablate };
  for (const [other, among] of alone) {
    substitutes[without(other)] = (x) => tf.tidy(() => x.sub<Tensor2D>(part(b, codes!.b, among)));
    substitutes[replacing(other)] = (x) =>
      tf.tidy(() => x.sub<Tensor2D>(part(a, codes!.a, own)).add<Tensor2D>(part(b, codes!.b, among)));
  }
  return substitutes;
}

/** Changes of log-probabilities by name, over the blocks of positions that contextLosses shows one after the other, the unchanged model first. */
class Fingerprints {
  readonly #changes = new Map<string, Float32Array[]>();
  #places: Int32Array | undefined;
  #clean: Float32Array | undefined;

  /** logits [rows, vocabulary] */
  add(name: string, logits: Tensor2D): void {
    tf.tidy(() => {
      const [rows, vocabulary] = logits.shape;
      const logP = tf.logSoftmax(logits);
      if (name === 'clean') {
        const { indices } = tf.topk(logits, Math.min(likeliest, vocabulary), false);
        const chosen = indices.dataSync<'int32'>();
        const width = chosen.length / rows;
        this.#places = Int32Array.from(chosen, (token, at) => Math.floor(at / width) * vocabulary + token);
      }
      const flat = logP.reshape<Tensor1D>([rows * vocabulary]);
      const own = tf.gather(flat, tf.tensor1d(this.#places!, 'int32')).dataSync<'float32'>();
      if (name === 'clean') this.#clean = own.slice();
      else {
        const changes = this.#changes.get(name) ?? [];
        this.#changes.set(name, changes);
        changes.push(own.map((value, at) => value - this.#clean![at]));
      }
    });
  }

  cosine(one: string, other: string): number {
    const [x, y] = [this.#changes.get(one)!, this.#changes.get(other)!];
    let [product, squaresX, squaresY] = [0, 0, 0];
    x.forEach((block, n) =>
      block.forEach((value, at) => {
        product += value * y[n][at];
        squaresX += value * value;
        squaresY += y[n][at] * y[n][at];
      }),
    );
    return squaresX > 0 && squaresY > 0 ? product / Math.sqrt(squaresX * squaresY) : 0;
  }
}

function only(latents: number, latent: number): Uint8Array {
  const set = new Uint8Array(latents);
  set[latent] = 1;
  return set;
}

const meanOf = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
