/** A queue of jobs and devices that fail: how long everything takes, and how busy the devices are. */
import { Random } from '../../../sae/numerics/random.ts';

export interface QueuedJob {
  /** Seconds of one device. */
  seconds: number;
}

export interface QueueSettings {
  devices: number;
  /** Mean seconds of a device between failures; Infinity for none. */
  betweenFailures: number;
  /** Seconds until a failed device takes jobs again. */
  repair: number;
  /** Seconds of work between two checkpoints, and seconds that one takes. */
  checkpointEvery: number;
  checkpointSeconds: number;
  /** Seconds from a failure until the queue gives the job to another device. */
  noticed: number;
  seed: number;
}

export interface Simulated {
  /** Seconds until the last job is done. */
  makespan: number;
  /** Share of the devices' time until then that was work which counted. */
  busy: number;
  failures: number;
  /** Seconds of work that had to be done again. */
  lost: number;
}

/** Jobs are taken in their order; one that was interrupted goes first, from its last checkpoint. */
export function simulateQueue(jobs: readonly QueuedJob[], settings: QueueSettings): Simulated {
  const { devices, betweenFailures, repair, checkpointEvery, checkpointSeconds, noticed, seed } = settings;
  const random = Random.fromSeed(seed, 'failures of devices');
  const untilFailure = () =>
    betweenFailures === Infinity ? Infinity : -Math.log(1 - random.uniform()) * betweenFailures;
  /** Work left of each job that waits, and from when on it may be taken. */
  const waiting = jobs.map(({ seconds }) => ({ left: seconds, from: 0 }));
  const free = Array.from({ length: devices }, () => ({ at: 0, fails: untilFailure() }));
  let [makespan, failures, lost] = [0, 0, 0];
  while (waiting.length > 0) {
    const device = free.reduce((a, b) => (b.at < a.at ? b : a));
    const next = waiting.findIndex(({ from }) => from <= device.at);
    if (next < 0) {
      device.at = Math.min(...waiting.map(({ from }) => from));
      continue;
    }
    if (device.fails <= device.at) {
      // It failed while it had nothing to do.
      device.at = Math.max(device.at, device.fails + repair);
      device.fails = device.at + untilFailure();
      failures++;
      continue;
    }
    const [{ left }] = waiting.splice(next, 1);
    const ends = device.at + left * (1 + checkpointSeconds / checkpointEvery);
    if (ends <= device.fails) {
      device.at = ends;
      makespan = Math.max(makespan, ends);
      continue;
    }
    failures++;
    const worked = (device.fails - device.at) / (1 + checkpointSeconds / checkpointEvery);
    const kept = Math.floor(worked / checkpointEvery) * checkpointEvery;
    lost += worked - kept;
    waiting.unshift({ left: left - kept, from: device.fails + noticed });
    device.at = device.fails + repair;
    device.fails = device.at + untilFailure();
  }
  const work = jobs.reduce((sum, { seconds }) => sum + seconds, 0);
  return { makespan, busy: work / (makespan * devices), failures, lost };
}
