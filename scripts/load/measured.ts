/** What the load suite has seen so far; whatever ends it, its report is made of this. */
import type { Explorers } from './explorers.ts';

/** A stretch of time in which explorers ask, or none does. */
export interface Spell {
  explorers: boolean;
  steps: number;
  seconds: number;
}

/** Two spells after one another, one of each kind, with the server's memory in them, in MB. */
export interface Pair {
  spells: Spell[];
  /** Of its middle, since the suite began. */
  minutes: number;
  /** Resident, and the JavaScript heap in use, at each reading. */
  rss: number[];
  heap: number[];
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
