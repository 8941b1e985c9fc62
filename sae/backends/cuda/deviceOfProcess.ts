import { LazyscopeError } from '../../errors.ts';

/** Which of the processes on this machine one is, from 0, and how many of them there are. */
export interface PlaceOnMachine {
  readonly index: number;
  readonly count: number;
}

/**
 * The number of the device for one of several processes that each take one: as the processes are numbered, or the only one that the process can see, where
 * CUDA_VISIBLE_DEVICES shows each another. Throws `bad_input` where there are fewer devices than processes.
 */
export function deviceOfProcess(
  { index, count }: PlaceOnMachine,
  devices: number,
  visible: string | undefined,
): number {
  if (devices >= count) return index;
  if (devices === 1 && visible !== undefined && visible !== '') return 0;
  throw new LazyscopeError(
    'bad_input',
    `This machine runs ${count} processes that each need a GPU of their own, and has ${devices === 1 ? 'one GPU' : `${devices} GPUs`}: start no more processes than GPUs, or choose --backend native.`,
  );
}
