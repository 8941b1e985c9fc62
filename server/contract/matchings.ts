import type { FlowKind } from '../../sae/spec/flowKinds.ts';
import type { Matchings } from '../../sae/spec/manifests/matchings.ts';

/** The judged matchings of a run. */
export interface MatchingsDetail {
  report: Matchings;
  /** Whether a pair of seeds was compared again since. */
  outdated: boolean;
}

/** Where one latent goes in another dictionary, and what else of its own dictionary goes to the same ones. */
export interface LatentFlows {
  run: string;
  seed: number;
  kind: FlowKind;
  /** Mass that the latent sends there, as a share of what each latent is given. */
  carried: number;
  /** Latents of its own dictionary, itself first, and of the other one, the largest first, each with its label. */
  sources: FlowEnd[];
  targets: FlowEnd[];
  flows: { from: number; to: number; mass: number; sent: number; received: number; cosine: number | null }[];
}

/** A latent at either end of a flow, with its label. */
export interface FlowEnd {
  latent: number;
  label: string | null;
}
