import type { Overview } from '../../../server/client.ts';

type LeftOut = Overview['leftOut']['runs'];

/** "1 damaged item left out", "2 items of a newer Lazyscope left out"; empty where nothing is. */
export function leftOutText(leftOut: readonly LeftOut[]): string {
  const sum = (kind: keyof LeftOut) => leftOut.reduce((total, each) => total + each[kind], 0);
  const items = (count: number) => (count === 1 ? 'item' : 'items');
  const [damaged, newer] = [sum('damaged'), sum('newer')];
  const parts = [
    ...(damaged > 0 ? [`${damaged} damaged ${items(damaged)}`] : []),
    ...(newer > 0 ? [`${newer} ${items(newer)} of a newer Lazyscope`] : []),
  ];
  return parts.length > 0 ? `${parts.join(' and ')} left out` : '';
}
