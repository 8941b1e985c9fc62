import { describe, expect, it } from 'vitest';
import { Random } from '../numerics/random.ts';
import { measureAbsorption, type Words } from './absorption.ts';
import type { PooledDocuments } from './pooledDocuments.ts';
import { sparseProbing } from './sparseProbing.ts';
import { propertySets, spuriousRemoval } from './spuriousCorrelation.ts';
import { targetedPerturbation } from './targetedPerturbation.ts';

/** A dictionary of orthonormal directions, so that each latent is one coordinate. */
function identity(d: number): Float32Array {
  const wDec = new Float32Array(d * d);
  for (let i = 0; i < d; i++) wDec[i * d + i] = 1;
  return wDec;
}

/** Rows of numbers as both the activations and, where above 0, the latents. */
function asBoth(rows: readonly Float32Array[], codes: readonly Float32Array[] = rows) {
  const d = rows[0].length;
  const width = codes[0].length;
  const x = new Float32Array(rows.length * d);
  const rowStart = new Int32Array(rows.length + 1);
  const indices: number[] = [];
  const values: number[] = [];
  for (const [n, row] of rows.entries()) {
    x.set(row, n * d);
    for (const [latent, value] of codes[n].entries())
      if (value > 0) {
        indices.push(latent);
        values.push(value);
      }
    rowStart[n + 1] = indices.length;
  }
  return {
    x: { rows: rows.length, width: d, values: x },
    codes: {
      rows: rows.length,
      width,
      rowStart,
      indices: Int32Array.from(indices),
      values: Float32Array.from(values),
    },
  };
}

describe('documents of which each class has a latent of its own', () => {
  const random = Random.fromSeed(9);
  const latents = 40;
  const names = ['red', 'green', 'blue'];
  const rows: Float32Array[] = [];
  const classes = names.map((name, c) => {
    const some = (count: number) =>
      Array.from({ length: count }, () => {
        const row = Float32Array.from({ length: latents }, () => Math.max(0, random.normal() * 0.3));
        row[c] = 3;
        for (let other = 0; other < 3; other++) if (other !== c) row[other] = 0;
        return rows.push(row) - 1;
      });
    return { name, train: some(80), test: some(40) };
  });
  const pooled: PooledDocuments = { ...asBoth(rows), classes };
  const decoder = { wDec: identity(latents), d: latents };

  it('one latent tells a class from the others, and random latents or exchanged classes do not', async () => {
    const { byK, classes: perClass } = await sparseProbing(pooled, [1, 2]);
    for (const [c, own] of perClass.entries()) expect(own.byK[0].latents).toEqual([c]);
    expect(byK[0].accuracy).toBe(1);
    expect(byK[0].interval[0]).toBeGreaterThan(0.98);
    expect(byK[0].randomLatents).toBeLessThan(0.65);
    expect(byK[0].shuffledLabels).toBeLessThan(0.65);
    expect(byK[0].shuffledLabels).toBeGreaterThan(0.35);
  });

  it("setting a class's latent to 0 makes its own probe miss all of its documents, and harms no other", async () => {
    const [one] = await targetedPerturbation(pooled, decoder, [1]);
    expect(one.intended).toBeCloseTo(0.5, 9);
    expect(one.unintended).toBeCloseTo(0, 9);
    expect(one.tpp).toBeCloseTo(0.5, 9);
    expect(one.interval[0]).toBeGreaterThan(0.3);
    expect(one.random).toBeLessThan(0.25);
  });

  it('the same latent for all classes is worth nothing', async () => {
    // Every latent's decoder row is the sum of the three directions: taking one out moves every probe.
    const shared = new Float32Array(latents * latents);
    for (let latent = 0; latent < 3; latent++) for (let j = 0; j < 3; j++) shared[latent * latents + j] = 1;
    const [one] = await targetedPerturbation(pooled, { wDec: shared, d: latents }, [1]);
    expect(one.tpp).toBeLessThan(0.3);
  });
});

describe('documents of two properties, each with a latent of its own', () => {
  const random = Random.fromSeed(12);
  const latents = 30;
  const rows: Float32Array[] = [];
  // The second property is stronger, so that what learns from both together goes by it, and has a latent for either value.
  const classes = [
    { name: 'both', first: 2, second: 4 },
    { name: 'first alone', first: 2, second: 0 },
    { name: 'second alone', first: 0, second: 4 },
    { name: 'neither', first: 0, second: 0 },
  ].map(({ name, first, second }) => {
    const some = (count: number) =>
      Array.from({ length: count }, () => {
        const row = Float32Array.from({ length: latents }, () => Math.max(0, random.normal() * 0.2));
        row[0] = first;
        row[1] = second;
        row[2] = 4 - second;
        return rows.push(row) - 1;
      });
    return { name, train: some(80), test: some(40) };
  });
  const pooled: PooledDocuments = { ...asBoth(rows), classes };

  it('both latents of the second property at 0 free the probe of it, and one of them does half of that', async () => {
    const decoder = { wDec: identity(latents), d: latents };
    const measured = await spuriousRemoval(pooled, decoder, [1, 2]);
    expect(measured.first.oracle).toBe(1);
    expect(measured.first.biased).toBeCloseTo(0.5, 9);
    expect(measured.second.biased).toBe(1);
    expect(measured.counts).toBe('first');
    // With one of the two, a quarter of the documents is still told by the second property.
    expect(measured.first.byN.map(({ scr }) => scr)).toEqual([0.5, 1]);
    expect(measured.first.byN[1].interval).toEqual([1, 1]);
    expect(measured.first.byN[1].random).toBeLessThan(0.5);
    expect(measured.second.byN.map(({ scr }) => scr)).toEqual([0, 0]);
  });

  it('a dictionary whose latents write nothing removes nothing', async () => {
    const nothing = new Float32Array(latents * latents);
    const measured = await spuriousRemoval(pooled, { wDec: nothing, d: latents }, [1, 5]);
    for (const { scr, random: byChance, interval } of measured.first.byN) {
      expect({ scr, byChance, interval }).toEqual({ scr: 0, byChance: 0, interval: [0, 0] });
    }
  });

  it('half of each class serves each property, and all of the first and the last both together', () => {
    const { first, second, biased } = propertySets(pooled, 'train');
    const [both, firstAlone, secondAlone, neither] = classes.map(({ train }) => train);
    const half = (own: readonly number[]) => own.slice(0, 40);
    expect(first.documents).toEqual([both, firstAlone, secondAlone, neither].flatMap(half));
    expect(second.documents).toEqual([both, secondAlone, firstAlone, neither].flatMap(half));
    expect(biased.documents).toEqual([...both, ...neither]);
    for (const { positive } of [first, second, biased])
      expect(positive.reduce((sum, one) => sum + one, 0)).toBe(80);
  });
});

describe('words of which a known share is absorbed', () => {
  /** Letters a to d; `silent` of 40 test words of each are held by latents for single words. */
  function planted(silent: number): { words: Words; decoder: { wDec: Float32Array; d: number } } {
    const random = Random.fromSeed(2);
    const letters = 4;
    const each = 40;
    const d = letters * (silent + 1) + 4;
    const latents = letters * (silent + 1);
    const wordDirection = (letter: number, kind: number) => letters + letter * silent + kind;
    const wDec = new Float32Array(latents * d);
    for (let letter = 0; letter < letters; letter++) {
      wDec[letter * d + letter] = 1;
      for (let kind = 0; kind < silent; kind++) {
        const latent = wordDirection(letter, kind);
        wDec[latent * d + letter] = Math.SQRT1_2;
        wDec[latent * d + latent] = Math.SQRT1_2;
      }
    }
    const rows: Float32Array[] = [];
    const codes: Float32Array[] = [];
    const letterOf: number[] = [];
    const part = { train: [] as number[], test: [] as number[] };
    for (const name of ['train', 'test'] as const)
      for (let letter = 0; letter < letters; letter++)
        for (let n = 0; n < each; n++) {
          const x = Float32Array.from({ length: d }, () => random.normal() * 0.05);
          const code = new Float32Array(latents);
          x[letter] += 3;
          if (n < silent) {
            x[wordDirection(letter, n)] += 3;
            code[wordDirection(letter, n)] = 3 * Math.SQRT2;
          } else code[letter] = 3;
          part[name].push(rows.push(x) - 1);
          codes.push(code);
          letterOf.push(letter);
        }
    return {
      words: { ...asBoth(rows, codes), letters: Uint8Array.from(letterOf), ...part },
      decoder: { wDec, d },
    };
  }

  it('finds the share, the letters and their latents', async () => {
    const { words, decoder } = planted(4);
    const measured = await measureAbsorption(words, decoder);
    expect(measured.counted).toBe(4);
    expect(measured.letters.map(({ latents }) => latents)).toEqual([[0], [1], [2], [3]]);
    expect(measured.fraction).toBeCloseTo(4 / 40, 9);
    expect(measured.full).toBeCloseTo(4 / 40, 9);
    expect(measured.fractionInterval![0]).toBeLessThan(0.1);
    expect(measured.fractionInterval![1]).toBeGreaterThan(0.1);
    expect(measured.chanceFraction).toBeLessThan(0.05);
  });

  it('finds none where every word has its letter', async () => {
    const { words, decoder } = planted(0);
    const measured = await measureAbsorption(words, decoder);
    expect(measured).toMatchObject({ counted: 4, fraction: 0, full: 0 });
  });

  it('says nothing of letters that no probe finds', async () => {
    const { words, decoder } = planted(0);
    const shuffled = Random.fromSeed(5).permutation(words.letters.length);
    const measured = await measureAbsorption(
      { ...words, letters: Uint8Array.from(shuffled, (i) => words.letters[i]) },
      decoder,
    );
    expect(measured).toMatchObject({ counted: 0, fraction: null, chanceFull: null });
  });
});
