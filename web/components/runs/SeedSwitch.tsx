'use client';
import Link from 'next/link';
import { useSearchParams } from 'next/navigation';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { paths } from '../../client/paths.ts';
import styles from './SeedSwitch.module.css';

/** Links to the other seeds of a run, with the same filters and order, from the first page on. */
export function SeedSwitch({ run, seed }: { run: string; seed: number }) {
  const trpc = useTRPC();
  const runs = useQuery(trpc.runs.list.queryOptions());
  const seeds = (runs.data ?? [])
    .filter((row) => row.name === run)
    .map((row) => row.seed)
    .sort((a, b) => a - b);
  const kept = new URLSearchParams(useSearchParams());
  kept.delete('offset');
  const query = kept.size > 0 ? `?${kept}` : '';
  if (seeds.length < 2) return null;
  return (
    <nav className={styles.switch} aria-label="Seeds of this run">
      <span className="small muted">Seed</span>
      {seeds.map((one) => (
        <Link
          key={one}
          href={paths.dictionary(run, one) + query}
          className={styles.seed}
          aria-current={one === seed ? 'page' : undefined}
        >
          {one}
        </Link>
      ))}
    </nav>
  );
}
