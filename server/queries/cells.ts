import { z } from 'zod';

/** A number of a table that may be undefined there (NaN): null to a client. */
export const finiteOrNull = z
  .union([z.number(), z.nan(), z.null()])
  .transform((value) => (value !== null && Number.isFinite(value) ? value : null));
