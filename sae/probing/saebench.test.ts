import { describe, expect, it } from 'vitest';
import { autoencoderFrom } from '../autoencoders/autoencoder.ts';
import { logisticRegression, probeScore, type LinearProbe } from '../numerics/logisticRegression.ts';
import type { SparseExamples } from '../numerics/sparseLogisticRegression.ts';
import { tf } from '../tensor/tf.ts';
import { absorptionOf, decoderCosines, measureAbsorption, type Words } from './absorption.ts';
import saebench from './fixtures/saebench.json' with { type: 'json' };
import { poolTokens } from './poolTokens.ts';
import { denseRows, latentsOfRows, oneAgainstOthers, type PooledDocuments } from './pooledDocuments.ts';
import { sparseProbing } from './sparseProbing.ts';
import { propertyEffects, propertySets, spuriousRemoval } from './spuriousCorrelation.ts';
import { latentEffects, targetedPerturbation } from './targetedPerturbation.ts';

/** Written by scripts/peers/saebenchFixture.py, which calls SAEBench's own functions. */
type Sae = typeof saebench.words.sae;

function autoencoder({ d, latents, wEnc, bEnc, wDec }: Sae) {
  return autoencoderFrom({
    latents,
    d,
    wEnc: Float32Array.from(wEnc),
    bEnc: Float32Array.from(bEnc),
    wDec: Float32Array.from(wDec),
    bDec: new Float32Array(d),
    metadata: {
      format: 'lazyscope-sae',
      architecture: 'relu',
      inputScale: 1,
      hook: 'blocks.0.hook_resid_post',
      seed: 0,
    },
  } as unknown as Parameters<typeof autoencoderFrom>[0]);
}

function encoded(sae: Sae, x: Float32Array): SparseExamples {
  const opened = autoencoder(sae);
  const rows = x.length / sae.d;
  const input = tf.tensor2d(x, [rows, sae.d]);
  const { rowStart, indices, values } = opened.encode(input);
  const kept = { rowStart: rowStart.slice(), indices: indices.slice(), values: values.slice() };
  input.dispose();
  opened.dispose();
  return { rows, width: sae.latents, ...kept };
}

function pooledDocuments({
  sae,
  tokens,
  classes,
}: Pick<typeof saebench.documents, 'sae' | 'tokens' | 'classes'>): PooledDocuments {
  const opened = autoencoder(sae);
  const each = tokens * sae.d;
  const pooled = poolTokens(sae.d, sae.latents);
  let next = 0;
  const documentsOf = (numbers: readonly number[]) =>
    Array.from({ length: numbers.length / each }, (_, i) => {
      const x = Float32Array.from(numbers.slice(i * each, (i + 1) * each));
      const input = tf.tensor2d(x, [tokens, sae.d]);
      pooled.add(x, opened.encode(input));
      input.dispose();
      return next++;
    });
  const named = classes.map(({ name, train, test }) => ({
    name,
    train: documentsOf(train),
    test: documentsOf(test),
  }));
  opened.dispose();
  return { ...pooled.examples(), classes: named };
}

describe("SAEBench's own values", () => {
  const pooled = pooledDocuments(saebench.documents);
  const { sae, sparseProbing: expected, perturbation } = saebench.documents;
  const classIndex = new Map(pooled.classes.map(({ name }, c) => [name, c]));
  const decoder = { wDec: Float32Array.from(sae.wDec), d: sae.d };

  // scikit-learn stops where its gradient is below 1e-4, so that its weights are within some thousandths of the optimum.
  it('probes of k latents, of k coordinates and of all have its weights and its accuracy', async () => {
    const ks = [1, 2, 5];
    const measured = await sparseProbing(pooled, ks);
    for (const one of expected) {
      const c = classIndex.get(one.class)!;
      const train = oneAgainstOthers(pooled.classes, c, 'train');
      const columns = one.chosen ?? undefined;
      const x =
        one.space === 'latents'
          ? latentsOfRows(pooled.codes, train.documents, columns!)
          : denseRows(pooled.x, train.documents, columns);
      const probe = await logisticRegression(x, train.positive);
      for (const [j, weight] of one.weights.entries()) expect(probe.weights[j]).toBeCloseTo(weight, 2);
      expect(probe.bias).toBeCloseTo(one.bias, 2);
      if (one.space === 'coordinates' && one.k === null)
        expect(measured.classes[c].allCoordinates).toBeCloseTo(one.accuracy, 9);
      if (one.space === 'latents') {
        const found = measured.classes[c].byK.find(({ k }) => k === one.k)!;
        expect(found.latents.toSorted((a, b) => a - b)).toEqual(one.chosen);
        expect(found.accuracy).toBeCloseTo(one.accuracy, 9);
      }
    }
    for (const { k, accuracy, coordinates } of measured.byK) {
      const mean = (space: string) => {
        const own = expected.filter((one) => one.space === space && one.k === k);
        return own.reduce((sum, one) => sum + one.accuracy, 0) / own.length;
      };
      expect(accuracy).toBeCloseTo(mean('latents'), 9);
      expect(coordinates).toBeCloseTo(mean('coordinates'), 9);
    }
  });

  it('targeted probe perturbation has its effects, its accuracies and its score', async () => {
    const probes: LinearProbe[] = perturbation.probes.map(({ weights, bias }) => ({
      weights: Float64Array.from(weights),
      bias,
    }));
    for (const [c, probe] of probes.entries()) {
      const effects = latentEffects(pooled, decoder, probe, c);
      for (const [latent, effect] of perturbation.effects[c].entries())
        expect(effects[latent]).toBeCloseTo(effect, 5);
    }
    const measured = await targetedPerturbation(
      pooled,
      decoder,
      perturbation.byN.map(({ n }) => n),
      { probes },
    );
    for (const [i, { tpp, intended, unintended }] of perturbation.byN.entries()) {
      expect(measured[i].tpp).toBeCloseTo(tpp, 6);
      expect(measured[i].intended).toBeCloseTo(intended, 6);
      expect(measured[i].unintended).toBeCloseTo(unintended, 6);
    }
  });
});

describe("SAEBench's own spurious correlation removal", () => {
  const { sae, effects, oracle, biased, byN, probes: expected } = saebench.properties;
  const pooled = pooledDocuments(saebench.properties);
  const decoder = { wDec: Float32Array.from(sae.wDec), d: sae.d };
  const probeOf = ({ weights, bias }: { weights: number[]; bias: number }): LinearProbe => ({
    weights: Float64Array.from(weights),
    bias,
  });
  const probes = {
    first: probeOf(expected.first),
    second: probeOf(expected.second),
    biased: probeOf(expected.biased),
  };

  it('has its effects, its accuracies and its scores, and the property that counts', async () => {
    const sets = propertySets(pooled, 'train');
    for (const key of ['first', 'second'] as const) {
      const found = propertyEffects(pooled, decoder, probes[key], sets[key]);
      for (const [latent, effect] of effects[key].entries()) expect(found[latent]).toBeCloseTo(effect, 5);
    }
    const measured = await spuriousRemoval(
      pooled,
      decoder,
      byN.map(({ n }) => n),
      { probes },
    );
    for (const key of ['first', 'second'] as const) {
      expect(measured[key].oracle).toBeCloseTo(oracle[key], 6);
      expect(measured[key].biased).toBeCloseTo(biased[key], 6);
      for (const [i, one] of byN.entries()) expect(measured[key].byN[i].scr).toBeCloseTo(one[key], 5);
    }
    // The package gives the figure that counts alone, without saying of which property it is.
    const { counts } = measured;
    expect(counts).toBe('first');
    for (const [i, one] of byN.entries()) expect(measured.first.byN[i].scr).toBeCloseTo(one.counts, 5);
    expect(byN.some(({ first }) => first > 0.1)).toBe(true);
  });
});

function fixtureWords(): Words {
  const { sae, words } = saebench.words;
  const x = Float32Array.from([...words.train.x, ...words.test.x]);
  const rows = x.length / sae.d;
  const split = words.train.letters.length;
  const numbers = Array.from({ length: rows }, (_, row) => row);
  return {
    x: { rows, width: sae.d, values: x },
    codes: encoded(sae, x),
    letters: Uint8Array.from([...words.train.letters, ...words.test.letters]),
    train: numbers.slice(0, split),
    test: numbers.slice(split),
  };
}

describe("SAEBench's own absorption", () => {
  const words = fixtureWords();
  const { sae, letters } = saebench.words;
  const decoder = { wDec: Float32Array.from(sae.wDec), d: sae.d };

  it('each word has its fraction, and is fully absorbed or not, with its probes and latents', () => {
    let partly = 0;
    let fully = 0;
    for (const { probe, latents, words: expected } of letters) {
      const weights = Float64Array.from(probe.weights);
      const rows = expected.map(({ word }) => words.test[word]);
      const found = words.test.filter(
        (row, i) =>
          saebench.words.words.test.letters[i] === letters.findIndex((one) => one.probe === probe) &&
          probeScore({ weights, bias: probe.bias }, words.x.values, row * sae.d) > 0,
      );
      expect(found).toEqual(rows);
      const cosines = decoderCosines(decoder, weights);
      const measured = absorptionOf(words, rows, { probe: { weights }, latents, cosines });
      for (const [i, { fraction, full }] of expected.entries()) {
        expect(measured.fractions[i]).toBeCloseTo(fraction, 5);
        expect(measured.fulls[i]).toBe(full ? 1 : 0);
        if (fraction > 0 && fraction < 1) partly++;
        if (full) fully++;
      }
    }
    expect(partly).toBeGreaterThan(0);
    expect(fully).toBeGreaterThan(0);
  });

  it('finds the same latents for each letter, and nearly the same shares, with probes of its own', async () => {
    const measured = await measureAbsorption(words, decoder);
    for (const [i, expected] of letters.entries()) {
      const share = expected.words.reduce((sum, { fraction }) => sum + fraction, 0) / expected.words.length;
      expect(measured.letters[i].latents).toEqual(expected.latents);
      expect(measured.letters[i].latentF1).toBeCloseTo(expected.latentF1, 6);
      expect(Math.abs(measured.letters[i].fraction - share)).toBeLessThan(0.05);
    }
  });
});
