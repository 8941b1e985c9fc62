/** The ways to say which latent of b is a given latent of a, each with how sure it is of every pair (METHODS.md §11). */
import type { MatchingMethod } from '../../spec/matchingMethods.ts';
import { nearestAmong, pairsOfCandidates, type Candidates } from '../candidates.ts';
import type { Counterparts } from '../counterparts.ts';
import { greedyAmong } from '../greedyMatching.ts';
import type { TransportPlan } from './sinkhorn.ts';

export interface Matching {
  /** [latents of a]: the latent of b; −1 for none. */
  readonly match: Int32Array;
  /** [latents of a]: the larger, the surer; NaN for none. Comparable within one matching only. */
  readonly confidence: Float64Array;
}

export interface MatchingSources {
  /** Candidates by decoder cosine, and the transport among them. */
  readonly decoder: Candidates;
  readonly plan: TransportPlan;
  /** The optimal matchings of the stored comparison. */
  readonly assignment: { readonly decoder: Counterparts; readonly encoder: Counterparts };
  readonly correlation: Candidates;
  readonly jaccard: Candidates;
  /** Candidates by how near the hidden states are that express the latents, and the transport among them. */
  readonly states: Candidates;
  readonly statesPlan: TransportPlan;
}

export function matchingsOf(from: MatchingSources): Record<MatchingMethod, Matching> {
  const { decoder, encoder } = from.assignment;
  return {
    greedy: byCosine(greedyAmong(from.decoder)),
    mutual: mutualNearest(from.decoder),
    assignment: byCosine(decoder),
    agreement: {
      match: decoder.match.map((j, i) => (j === encoder.match[i] ? j : -1)),
      confidence: decoder.cosine.map((cosine, i) =>
        decoder.match[i] >= 0 && decoder.match[i] === encoder.match[i]
          ? Math.min(cosine, encoder.cosine[i])
          : NaN,
      ),
    },
    transport: heaviest(from.decoder, from.plan),
    correlation: byCosine(nearestAmong(from.correlation)),
    jaccard: byCosine(nearestAmong(from.jaccard)),
    stateTransport: heaviest(from.states, from.statesPlan),
  };
}

const byCosine = ({ match, cosine }: Counterparts): Matching => ({ match, confidence: cosine });

/** Pairs in which each is the other's nearest. */
export function mutualNearest(candidates: Candidates): Matching {
  const { row, column, weight } = pairsOfCandidates(candidates);
  const of = new Int32Array(candidates.columns).fill(-1);
  const best = new Float64Array(candidates.columns).fill(-Infinity);
  for (let p = 0; p < column.length; p++)
    if (weight[p] > best[column[p]]) {
      best[column[p]] = weight[p];
      of[column[p]] = row[p];
    }
  const { match, cosine } = nearestAmong(candidates);
  const keeps = match.map((j, i) => Number(j >= 0 && of[j] === i));
  return {
    match: match.map((j, i) => (keeps[i] ? j : -1)),
    confidence: cosine.map((value, i) => (keeps[i] ? value : NaN)),
  };
}

/** The column to which each row sends the most, and the share of the row's own mass, 1/rows, that goes there. */
export function heaviest({ rows, start, column }: Candidates, { mass }: TransportPlan): Matching {
  const match = new Int32Array(rows).fill(-1);
  const confidence = new Float64Array(rows).fill(NaN);
  for (let i = 0; i < rows; i++)
    for (let p = start[i]; p < start[i + 1]; p++)
      if (match[i] < 0 || mass[p] * rows > confidence[i]) {
        match[i] = column[p];
        confidence[i] = mass[p] * rows;
      }
  return { match, confidence };
}
