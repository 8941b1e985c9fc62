import type { Metadata } from 'next';
import Link from 'next/link';
import { EmptyState } from '../components/ui/EmptyState.tsx';
import { PageHeader } from '../components/ui/PageHeader.tsx';
import { paths } from '../client/paths.ts';

export const metadata: Metadata = { title: 'No such page' };

export default function NotFound() {
  return (
    <>
      <PageHeader title="No such page" />
      <EmptyState
        title="The address leads nowhere"
        action={
          <span className="cluster">
            <Link href={paths.overview()} className="button">
              Overview
            </Link>
            <Link href={paths.runs()} className="button">
              Runs
            </Link>
          </span>
        }
      >
        A feature’s address is <code>/runs/RUN/SEED/LATENT</code>, with numbers for seed and latent. ⌘K or
        Ctrl-K finds the rest.
      </EmptyState>
    </>
  );
}
