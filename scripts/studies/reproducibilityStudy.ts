/** The file that describes a reproducibility study: captures, seeds, and sweeps in the order in which they are done. */
import { parse } from 'yaml';
import { z } from 'zod';
import { LazyscopeError } from '../../sae/errors.ts';

const studySchema = z.strictObject({
  captures: z
    .array(
      z.strictObject({
        name: z.string(),
        text: z.string(),
        hooks: z.array(z.string()).min(1),
        tokens: z.int().positive().optional(),
      }),
    )
    .min(1),
  seeds: z.array(z.int().nonnegative()).min(2),
  settings: z.record(z.string(), z.number()),
  /** Held-out tokens of evaluations: reconstructed, and predicted. */
  evaluated: z.int().positive(),
  losses: z.int().positive(),
  /** How much is looked at to say what stability is worth, in the sweeps that ask for it. */
  worth: z.strictObject({
    maxTokens: z.int().positive(),
    lossTokens: z.int().positive(),
    draws: z.int().min(3),
  }),
  sweeps: z
    .array(z.looseObject({ name: z.string(), capture: z.string(), worth: z.boolean().optional() }))
    .min(1),
});
export type ReproducibilityStudy = z.infer<typeof studySchema>;

/** Throws `bad_input` for a sweep of a capture that is not listed. */
export function parseReproducibilityStudy(text: string): ReproducibilityStudy {
  const study = studySchema.parse(parse(text));
  const missing = study.sweeps.find(({ capture }) => study.captures.every(({ name }) => name !== capture));
  if (missing)
    throw new LazyscopeError(
      'bad_input',
      `Sweep '${missing.name}' reads capture '${missing.capture}', which the study does not list: add it under captures.`,
    );
  return study;
}
