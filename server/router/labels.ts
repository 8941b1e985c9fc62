import {
  carryInput,
  labelExportInput,
  labelImportInput,
  labelInput,
  labelListInput,
  labelPageInput,
} from '../contract/labels.ts';
import { dictionaryInput } from '../contract/tokens.ts';
import { carryLabels } from '../queries/carryLabels.ts';
import { exportLabels } from '../queries/exportLabels.ts';
import { importLabels } from '../queries/importLabels.ts';
import { labelPage } from '../queries/labelPage.ts';
import { setLabel } from '../queries/setLabel.ts';
import { procedure, router } from '../trpc.ts';

export const labelsRouter = router({
  /** Labels that people wrote, imported or carried; `page` has the automatic ones too. */
  list: procedure.input(labelListInput).query(({ ctx, input }) => ctx.labels.list(input)),
  page: procedure.input(labelPageInput).query(({ ctx, input }) => labelPage(ctx, input)),
  /** Latent and label of every label of a dictionary, as they are shown. */
  names: procedure
    .input(dictionaryInput)
    .query(async ({ ctx, input }) => (await ctx.labels.of(input)).names()),
  set: procedure.input(labelInput).mutation(({ ctx, input }) => setLabel(ctx, input)),
  export: procedure.input(labelExportInput).query(({ ctx, input }) => exportLabels(ctx, input)),
  import: procedure.input(labelImportInput).mutation(({ ctx, input }) => importLabels(ctx, input)),
  carry: procedure.input(carryInput).mutation(({ ctx, input }) => carryLabels(ctx, input)),
});
