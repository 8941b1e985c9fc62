/** What the load suite has seen so far; whatever ends it, its report is made of this. */
import type { Explorers } from './explorers.ts';

/** A stretch of time in which explorers ask, or none does. */
export interface Spell {
  explorers: boolean;
  steps: number;
  seconds: number;
  /** Seconds of a processor that the server took, and those who ask. */
  processor: { server: number; explorers: number };
}

/** Two spells after one another, one of each kind, with the server's memory in them, in MB. */
export interface Pair {
  spells: Spell[];
  /** Of its middle, since the suite began. */
  minutes: number;
  /** Resident, at each reading. */
  rss: number[];
  /**
   * Resident, and the JavaScript heap in use, after a collection of garbage at the end. What is resident otherwise says as much about when
   * V8 collects, which it does late on a machine with much memory, as about what the server keeps.
   */
  settled: { rss: number; heap: number } | undefined;
}

export interface SlowReaders {
  readers: number;
  risenMb: number;
  /** Files that the server has open once they and all explorers have left, above those of before any came. */
  openAfter: number;
}

export interface Measured {
  people: Explorers | undefined;
  pairs: Pair[];
  slowReaders: SlowReaders | null;
  subscriptions: { most: number; after: number | null };
}
