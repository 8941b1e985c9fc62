/** Joins the processes that mpirun started, and parts from them when this one ends, whatever it ends with. */
import { Health } from './leadTraining.ts';
import type { Communicator } from './communicator.ts';
import { openMpi } from './openMpi.ts';
import { give } from './orders.ts';

export interface JoinedProcesses {
  readonly communicator: Communicator;
  readonly health: Health;
}

/** Throws as `openMpi` does. Once a process. */
export function joinProcesses(): JoinedProcesses {
  const communicator = openMpi();
  const health = new Health();
  process.once('exit', (status) => {
    const leads = communicator.rank === 0;
    // Processes that wait for a part of a call that never comes would wait for ever.
    if (health.broken || (!leads && status !== 0)) communicator.abort(status === 0 ? 1 : status);
    if (leads && health.training) give(communicator, { order: 'end' });
    if (leads) give(communicator, { order: 'leave' });
    communicator.finish();
  });
  return { communicator, health };
}
