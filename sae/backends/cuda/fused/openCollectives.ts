/** Joins the devices of several processes, once for each group of processes. */
import { LazyscopeError } from '../../../errors.ts';
import type { ProcessGroup } from '../../../ops/processGroup.ts';
import { uniqueIdBytes } from '../nccl.ts';
import { Collectives } from './collectives.ts';
import type { FusedPrograms } from './fusedPrograms.ts';

const uuidBytes = 16;
const opened = new WeakMap<ProcessGroup, Collectives>();

/** Throws `unavailable` where there is no NCCL, or it finds no way to the others, `bad_input` where two processes have the same device. */
export function openCollectives(programs: FusedPrograms, processes: ProcessGroup): Collectives {
  const known = opened.get(processes);
  if (known) return known;
  const { backend } = programs;
  const { device } = backend;
  const nccl = backend.nccl();
  const uuids = new Uint8Array(uuidBytes * processes.size);
  processes.allGather(device.uuid(), uuids);
  refuseShared(uuids, device.name);
  const id = processes.rank === 0 ? nccl.newUniqueId() : new Uint8Array(uniqueIdBytes);
  processes.broadcast(id);
  device.driver.enter();
  const rank = nccl.join(id, processes);
  device.whileWaiting = () => rank.checkHealth();
  processes.atEnd(() => {
    device.whileWaiting = null;
    device.driver.enter();
    rank.leave();
  });
  const collectives = new Collectives(rank, programs, processes);
  opened.set(processes, collectives);
  return collectives;
}

/** Throws `bad_input` where two of the devices [processes, 16] are one. All processes find the same. */
export function refuseShared(uuids: Uint8Array, name: string): void {
  const seen = new Map<string, number>();
  for (let rank = 0; rank * uuidBytes < uuids.length; rank++) {
    const uuid = Buffer.from(uuids.subarray(rank * uuidBytes, (rank + 1) * uuidBytes)).toString('hex');
    const other = seen.get(uuid);
    if (other !== undefined)
      throw new LazyscopeError(
        'bad_input',
        `Processes ${other} and ${rank} have the same GPU (${name}), and each needs one of its own: leave LAZYSCOPE_CUDA_DEVICE out, or start fewer processes.`,
      );
    seen.set(uuid, rank);
  }
}
