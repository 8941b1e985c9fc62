import { browserAddress } from './browserAddress.ts';

/** Changes of one thing that follow each other within this many milliseconds are one act, such as typing a word. */
const oneAct = 1_000;

let last = { what: '', address: '', at: 0 };

/**
 * Puts an address into the browser's history, as an entry that the back button takes back; an address that only goes on
 * with the change before it takes that one's place, so that a slider leaves one entry and not a hundred. The router follows
 * the history; going through it would ask the server for a page that has not changed.
 */
export function keepAddress(
  address: string,
  changed: readonly string[],
  { now = performance.now(), within = oneAct }: { now?: number; within?: number | undefined } = {},
): void {
  const here = browserAddress.path() + browserAddress.search();
  if (address === here) return;
  const what = changed.toSorted().join(' ');
  const goesOn = what === last.what && here === last.address && now - last.at < within;
  if (goesOn) browserAddress.replace(address);
  else browserAddress.push(address);
  last = { what, address: browserAddress.path() + browserAddress.search(), at: now };
}
