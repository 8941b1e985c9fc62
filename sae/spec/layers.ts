/** The hook points that a crosscoder reads, in the order of its columns. */
import { z } from 'zod';

export const layersSchema = z
  .array(
    z.strictObject({
      hook: z.string(),
      width: z.int().positive(),
      /** √width over the mean norm of its activations: they are multiplied by it, so that all hook points weigh alike. */
      scale: z.number().positive(),
    }),
  )
  .min(2);
/** One hook point of a crosscoder. */
export type Layer = z.infer<typeof layersSchema>[number];

/** Ends of the blocks of columns that belong to the layers. */
export function blockEnds(layers: readonly Pick<Layer, 'width'>[]): Int32Array {
  let end = 0;
  return Int32Array.from(layers, ({ width }) => (end += width));
}
