import {
  neuronAlignmentInput,
  neuronInput,
  neuronListInput,
  sparsityCompareInput,
} from '../contract/sparsity.ts';
import { nameInput } from '../contract/tokens.ts';
import { neuronAlignment } from '../queries/neuronAlignment.ts';
import { listEmergence } from '../queries/emergence.ts';
import { getNeuron } from '../queries/neurons.ts';
import { compareSparsity, getSparsity, listNeurons, listSparsity } from '../queries/sparsity.ts';
import { procedure, router } from '../trpc.ts';

const alignment = procedure
  .input(neuronAlignmentInput)
  .query(({ ctx, input }) => neuronAlignment(ctx, input));

export const sparsityRouter = router({
  list: procedure.query(({ ctx }) => listSparsity(ctx)),
  get: procedure.input(nameInput).query(({ ctx, input }) => getSparsity(ctx, input.name)),
  neurons: procedure.input(neuronListInput).query(({ ctx, input }) => listNeurons(ctx, input)),
  neuron: procedure.input(neuronInput).query(({ ctx, input }) => getNeuron(ctx, input)),
  neuronAlignment: alignment,
  /** @deprecated The former name of `neuronAlignment`, kept for existing clients. */
  carriers: alignment,
  emergence: procedure.query(({ ctx }) => listEmergence(ctx)),
  compare: procedure.input(sparsityCompareInput).query(({ ctx, input }) => compareSparsity(ctx, input.names)),
});
