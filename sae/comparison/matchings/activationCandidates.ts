/**
 * The latents of b that fire most like each latent of a, by two measures over all tokens (METHODS.md §11). The work is the number of pairs
 * of firings on a token, latents × latents are never kept.
 */
import { TopScores } from '../../ops/topScores.ts';
import type { Steps } from '../../steps.ts';
import { merge, pairsOf, transposed, type Candidates } from '../candidates.ts';
import { byToken, type FiringLists } from './firingLists.ts';

export interface ActivationCandidates {
  /** Pearson correlation of the activations over all tokens, zeros among them; above 0 only. */
  readonly correlation: Candidates;
  /** Tokens on which both fire over tokens on which either does. */
  readonly jaccard: Candidates;
}

/** The best `kept` columns of each row and the best `kept` rows of each column, by both measures. Both lists are of the same tokens. */
export function* activationCandidateSteps(
  a: FiringLists,
  b: FiringLists,
  { kept, progress }: { kept: number; progress?: (rows: number) => void },
): Steps<ActivationCandidates> {
  const [perRow, perColumn] = [Math.min(kept, b.latents), Math.min(kept, a.latents)];
  const lists = (): Lists => ({
    byRow: new TopScores(a.latents, perRow),
    byColumn: new TopScores(b.latents, perColumn),
  });
  const [correlations, jaccards] = [lists(), lists()];
  const tokens = byToken(b);
  const [ofA, ofB] = [momentsOf(a), momentsOf(b)];
  const product = new Float64Array(b.latents);
  const both = new Int32Array(b.latents);
  const touched = new Int32Array(b.latents);
  let worked = 0;
  for (let i = 0; i < a.latents; i++) {
    let count = 0;
    for (let e = a.start[i]; e < a.start[i + 1]; e++) {
      const t = a.token[e];
      for (let q = tokens.start[t]; q < tokens.start[t + 1]; q++) {
        const j = tokens.latent[q];
        if (both[j]++ === 0) touched[count++] = j;
        product[j] += a.value[e] * tokens.value[q];
      }
      worked += tokens.start[t + 1] - tokens.start[t];
    }
    const some = touched.subarray(0, count);
    // In ascending order, so that equal scores are decided by the latent and not by who fired first.
    some.sort();
    for (const j of some) {
      const shared = both[j] / (ofA.firings[i] + ofB.firings[j] - both[j]);
      const covariance = product[j] - (ofA.sum[i] * ofB.sum[j]) / a.tokens;
      const r = covariance / Math.sqrt(ofA.spread[i] * ofB.spread[j]);
      offer(jaccards, i, j, shared);
      if (r > 0 && Number.isFinite(r)) offer(correlations, i, j, Math.min(1, r));
      product[j] = 0;
      both[j] = 0;
    }
    if (worked < 2 ** 22) continue;
    worked = 0;
    progress?.(i + 1);
    yield;
  }
  const graph = ({ byRow, byColumn }: Lists) =>
    merge({ rows: a.latents, columns: b.latents }, [pairsOf(byRow), transposed(pairsOf(byColumn))]);
  return { correlation: graph(correlations), jaccard: graph(jaccards) };
}

interface Lists {
  readonly byRow: TopScores;
  readonly byColumn: TopScores;
}

function offer({ byRow, byColumn }: Lists, i: number, j: number, score: number): void {
  if (score > byRow.bar[i]) byRow.insert(i, j, score);
  if (score > byColumn.bar[j]) byColumn.insert(j, i, score);
}

/** Of each latent: tokens it fires on, Σf, and Σf² − (Σf)²/tokens. */
function momentsOf({ latents, tokens, start, value }: FiringLists) {
  const firings = new Int32Array(latents);
  const sum = new Float64Array(latents);
  const spread = new Float64Array(latents);
  for (let i = 0; i < latents; i++) {
    let squares = 0;
    for (let e = start[i]; e < start[i + 1]; e++) {
      sum[i] += value[e];
      squares += value[e] * value[e];
    }
    firings[i] = start[i + 1] - start[i];
    spread[i] = squares - (sum[i] * sum[i]) / tokens;
  }
  return { firings, sum, spread };
}
