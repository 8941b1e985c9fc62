/** What becomes of a latent in another dictionary by the mass that the transport sends: the same, split, merged, absorbed or lost (METHODS.md §11). */
import type { FlowKind } from '../../spec/flowKinds.ts';
import type { Candidates } from '../candidates.ts';

import type { TransportPlan } from './sinkhorn.ts';

export interface Flow {
  readonly latent: number;
  readonly other: number;
  /** Share of what the latent sends that goes there, and of what the other one receives that comes from here. */
  readonly sent: number;
  readonly received: number;
  /** Of the decoder rows. */
  readonly cosine: number;
}

export interface Flows {
  /** [rows]: what becomes of each latent. */
  readonly kind: FlowKind[];
  /** [rows]: what each sends, as a share of its own mass, 1/rows. */
  readonly carried: Float64Array;
  /** Those of at least `leastShare` on either side, by latent and then the largest first. */
  readonly flows: Flow[];
}

/** A flow that matters to one side. */
const leastShare = 0.05;
const half = 0.5;
const quarter = 0.25;

/** @param least the cosine that a counterpart must have; a latent none of whose quarters goes to one is lost */
export function transportFlows(
  { rows, start, column, weight }: Candidates,
  { mass, rowMass, columnMass }: TransportPlan,
  least: number,
): Flows {
  const sources = new Sources(columnMass.length);
  const share = (part: number, of: number) => (of > 0 ? part / of : 0);
  mass.forEach((m, p) => sources.add(column[p], share(m, columnMass[column[p]])));
  const carried = rowMass.map((m) => m * rows);
  const kind: FlowKind[] = [];
  const flows: Flow[] = [];
  for (let i = 0; i < rows; i++) {
    const own: Flow[] = [];
    for (let p = start[i]; p < start[i + 1]; p++) {
      const sent = share(mass[p], rowMass[i]);
      const received = share(mass[p], columnMass[column[p]]);
      if (Math.max(sent, received) >= leastShare)
        own.push({ latent: i, other: column[p], sent, received, cosine: weight[p] });
    }
    own.sort((x, y) => y.sent - x.sent || x.other - y.other);
    kind.push(kindOf(own, sources, least));
    flows.push(...own);
  }
  return { kind, carried, flows };
}

function kindOf(own: readonly Flow[], sources: Sources, least: number): FlowKind {
  if (!own.some(({ sent, cosine }) => sent >= quarter && cosine >= least)) return 'lost';
  const parts = own.filter(({ sent, received }) => sent >= quarter && received >= half);
  if (parts.length > 1) return 'split';
  const [main] = own;
  if (main === undefined || main.sent < half) return 'scattered';
  const beside = sources.largestBeside(main.other, main.received);
  if (main.received >= quarter)
    return beside >= quarter ? 'merged' : main.received >= half ? 'same' : 'scattered';
  return beside >= half ? 'absorbed' : 'scattered';
}

/** The two largest shares that each column receives. */
class Sources {
  readonly #first: Float64Array;
  readonly #second: Float64Array;

  constructor(columns: number) {
    this.#first = new Float64Array(columns);
    this.#second = new Float64Array(columns);
  }

  add(column: number, share: number): void {
    if (share > this.#first[column]) {
      this.#second[column] = this.#first[column];
      this.#first[column] = share;
    } else if (share > this.#second[column]) this.#second[column] = share;
  }

  /** The largest of the shares but for one of them. */
  largestBeside(column: number, own: number): number {
    return own === this.#first[column] ? this.#second[column] : this.#first[column];
  }
}
