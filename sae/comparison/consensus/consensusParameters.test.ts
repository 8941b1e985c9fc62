import { beforeAll, describe, expect, test } from 'vitest';
import { autoencoderFrom } from '../../autoencoders/autoencoder.ts';
import type { DictionaryArrays } from '../../autoencoders/dictionary.ts';
import type { StoredDictionary } from '../../autoencoders/dictionaryFile.ts';
import { configuredArchitecture } from '../../autoencoders/implementations.ts';
import { exampleConfig } from '../../fixtures/exampleConfig.ts';
import { randomRows } from '../../autoencoders/randomRows.ts';
import { Random } from '../../numerics/random.ts';
import { type ArchitectureName, architectureNames, describedArchitecture } from '../../spec/architectures/architectures.ts'; // prettier-ignore
import { tf } from '../../tensor/tf.ts';
import { unitRows } from '../directions.ts';
import type { Component } from './agreedLatents.ts';
import { chooseComponents, consensusParameters } from './consensusParameters.ts';

beforeAll(() => tf.setBackend('cpu'));

const [d, latents, scale] = [12, 30, 2.5];
const alone = (latent: number, dictionary = 0): Component => ({
  members: [{ dictionary, latent }],
  cosine: 0,
});

/** With decoder rows of any norm, and a threshold where the architecture has one. */
function parent(architecture: ArchitectureName, seed: number): StoredDictionary {
  const random = Random.fromSeed(seed, 'parent');
  const { fires } = describedArchitecture(architecture).inference;
  const drawn = random.normals(latents * d, 0.4);
  // Which k are largest depends on the norms, so that TopK's rows have norm 1, as training keeps them.
  const wDec = fires === 'largest' ? unitRows({ rows: latents, d, data: drawn }, 'a test').data : drawn;
  return {
    metadata: {
      architecture,
      hook: 'h',
      model: 'm',
      run: 'r',
      seed,
      scale,
      k: fires === 'largest' ? 5 : null,
    },
    latents,
    d,
    wDec,
    wEnc: wDec.map((value) => value + 0.1 * random.normal()),
    bEnc: random.normals(latents, 0.1),
    bDec: random.normals(d, 0.3),
    threshold:
      fires === 'above threshold'
        ? Float32Array.from({ length: latents }, () => 0.1 + random.uniform())
        : null,
  };
}

/** The parameters of an architecture, as training begins without a consensus. */
function drawn(architecture: ArchitectureName): DictionaryArrays {
  const config = { ...exampleConfig(architecture), width: latents };
  const sample = Random.fromSeed(1).normals(64 * d);
  return configuredArchitecture(config).initialise(sample, new Float32Array(d), (norm) =>
    randomRows(Random.fromSeed(0), latents, d, norm),
  );
}

describe.each(architectureNames)('%s', (architecture) => {
  test('one parent alone begins as what it is: the same reconstruction, in unit-decoder form', () => {
    const own = parent(architecture, 3);
    const chosen = Array.from({ length: latents }, (_, latent) => alone(latent));
    const parameters = consensusParameters([own], chosen, { scale, like: drawn(architecture) });
    for (let i = 0; i < latents; i++)
      expect(Math.hypot(...parameters.wDec.subarray(i * d, (i + 1) * d))).toBeCloseTo(1, 5);
    const config = { ...exampleConfig(architecture), width: latents };
    const state = describedArchitecture(architecture).trainingState;
    const trained = configuredArchitecture(config).trained(parameters, state);
    // BatchTopK's threshold is learnt anew; all latents have one.
    const keepsThreshold = parameters.logThreshold !== null || parameters.rMag !== undefined;
    const raw = (values: Float32Array) => values.map((value) => value / scale);
    const began = autoencoderFrom({
      ...own,
      ...trained,
      bEnc: raw(trained.bEnc),
      bDec: raw(trained.bDec),
      threshold: keepsThreshold && trained.threshold ? raw(trained.threshold) : trained.threshold,
    });
    const before = autoencoderFrom(
      keepsThreshold || !own.threshold ? own : { ...own, threshold: trained.threshold },
    );
    const x = tf.tensor2d(Random.fromSeed(9).normals(50 * d), [50, d]);
    const [p, q] = [began.reconstruct(x).dataSync(), before.reconstruct(x).dataSync()];
    p.forEach((value, at) => expect(value).toBeCloseTo(q[at], 3));
    expect(q.some((value, at) => Math.abs(value - own.bDec[at % d]) > 0.1)).toBe(true);
    x.dispose();
    began.dispose();
    before.dispose();
  });
});

test('latents of two parents are averaged in units of length, about the common decoder bias', () => {
  const parents = [parent('gated', 1), parent('gated', 2)].map((own) => ({
    ...own,
    metadata: { ...own.metadata, architecture: 'topk' as const },
  }));
  const component = {
    members: [
      { dictionary: 0, latent: 4 },
      { dictionary: 1, latent: 7 },
    ],
    cosine: 0.9,
  };
  const { wEnc, wDec, bEnc, bDec } = consensusParameters(parents, [component], {
    scale,
    like: drawn('topk'),
  });
  const row = (values: Float32Array, latent: number) => [...values.subarray(latent * d, (latent + 1) * d)];
  const each = [4, 7].map((latent, at) => {
    const { wDec: dec, wEnc: enc, bEnc: bias, bDec: centre } = parents[at];
    const norm = Math.hypot(...row(dec, latent));
    // f·‖d‖ of the activations times the scale, with the common bias taken off in place of the parent's own.
    const shift = row(enc, latent).reduce((sum, w, j) => sum + w * (bDec[j] - scale * centre[j]), 0);
    return {
      dec: row(dec, latent).map((value) => value / norm),
      enc: row(enc, latent).map((value) => value * norm),
      bias: norm * (scale * bias[latent] + shift),
    };
  });
  const mean = (a: number, b: number) => (a + b) / 2;
  const direction = each[0].dec.map((value, j) => value + each[1].dec[j]);
  for (let j = 0; j < d; j++) {
    expect(bDec[j]).toBeCloseTo(scale * mean(parents[0].bDec[j], parents[1].bDec[j]), 5);
    expect(wEnc[j]).toBeCloseTo(mean(each[0].enc[j], each[1].enc[j]), 5);
    expect(wDec[j]).toBeCloseTo(direction[j] / Math.hypot(...direction), 5);
  }
  expect(bEnc[0]).toBeCloseTo(mean(each[0].bias, each[1].bias), 4);
});

test('what has support comes first, then what is worth most', () => {
  const pair = (a: number, b: number, cosine: number): Component => ({
    members: [
      { dictionary: 0, latent: a },
      { dictionary: 1, latent: b },
    ],
    cosine,
  });
  const components = [pair(0, 1, 0.8), alone(1), pair(2, 0, 0.9), alone(3), alone(2, 1), alone(3, 1)];
  const values = [Float64Array.of(0, 5, 0, 1), Float64Array.of(0, 0, 3, 9)];
  const chosen = (width: number) => chooseComponents(components, values, { width, minSupport: 2 });
  const members = (width: number) =>
    chosen(width).chosen.map((one) =>
      one.members.map(({ dictionary, latent }) => `${dictionary}${latent}`).join(),
    );
  expect(members(1)).toEqual(['02,10']);
  expect(members(4)).toEqual(['00,11', '02,10', '01', '13']);
  expect([1, 4].map((width) => chosen(width).agreed)).toEqual([1, 2]);
});

test('a decoder row of zeros has no direction to begin with', () => {
  const own = parent('relu', 1);
  own.wDec.fill(0, 2 * d, 3 * d);
  expect(() => consensusParameters([own], [alone(2)], { scale, like: drawn('relu') })).toThrow(
    /Latent 2 of seed 1.*zeros/,
  );
});
