/** How the activation of a latent is changed on every token: f + value, value, or 0. */
export const interventionKinds = ['add', 'clamp', 'ablate'] as const;
export type InterventionKind = (typeof interventionKinds)[number];
