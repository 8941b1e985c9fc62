import { featureInput } from '../contract/features.ts';
import { listInput, listMembersInput, listNoteInput } from '../contract/lists.ts';
import { addToList } from '../queries/addToList.ts';
import { procedure, router } from '../trpc.ts';

export const listsRouter = router({
  list: procedure.query(({ ctx }) => ctx.lists.all()),
  /** The names of the lists that a feature is on. */
  of: procedure.input(featureInput).query(({ ctx, input }) => ctx.lists.of(input)),
  /** Makes the list where it isn't there. */
  add: procedure.input(listMembersInput).mutation(({ ctx, input }) => addToList(ctx, input)),
  take: procedure.input(listMembersInput).mutation(({ ctx, input }) => ctx.lists.take(input)),
  note: procedure.input(listNoteInput).mutation(({ ctx, input }) => ctx.lists.note(input.name, input.note)),
  remove: procedure.input(listInput).mutation(({ ctx, input }) => ctx.lists.remove(input.name)),
});
