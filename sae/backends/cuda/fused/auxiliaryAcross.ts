/** What AuxK needs to know of the dead latents of other devices. All devices know which latents of the whole dictionary are dead. */
import type { AuxiliaryChoice } from '../../../ops/fusedKernels.ts';
import { countIn, type LatentShare, placesIn } from '../../../ops/latentShares.ts';
import { placesFor } from './auxiliaryPlaces.ts';
import type { ReconstructionsAcross } from './reconstructAcross.ts';
import type { Reach, SpreadTopK } from './spreadTopK.ts';

export class AuxiliaryAcross {
  readonly #shares: readonly LatentShare[];
  readonly #own: LatentShare;
  readonly topK: SpreadTopK;
  readonly reconstructions: ReconstructionsAcross;

  constructor(
    { shares, rank }: { readonly shares: readonly LatentShare[]; readonly rank: number },
    topK: SpreadTopK,
    reconstructions: ReconstructionsAcross,
  ) {
    this.#shares = shares;
    this.#own = shares[rank];
    this.topK = topK;
    this.reconstructions = reconstructions;
  }

  /** How many of the dead latents this device has. */
  count({ dead }: AuxiliaryChoice): number {
    return countIn(this.#own, dead);
  }

  /** The dead latents that this device has, by their places in its share. */
  own(choice: AuxiliaryChoice): AuxiliaryChoice {
    return { ...choice, dead: placesIn(this.#own, choice.dead) };
  }

  /** How many of its candidates of a row a device sends at most; 0 where no more are dead than a row keeps, so that nothing has to be chosen. */
  sends({ dead, most }: AuxiliaryChoice): number {
    if (dead.length <= most) return 0;
    return Math.min(most, placesFor(Math.max(...this.#shares.map((share) => countIn(share, dead)))));
  }

  /** Called by all devices at the same place of a step. */
  reach(choice: AuxiliaryChoice): Reach | null {
    const sends = this.sends(choice);
    // Chosen among all latents and among dead ones, the largest may be spread differently.
    return sends === 0 ? null : this.topK.reach(choice.most, 'of some', sends);
  }
}
