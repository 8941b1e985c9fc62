import type { Metadata } from 'next';
import { Suspense } from 'react';
import { RunsView } from '../../components/runs/RunsView.tsx';

export const metadata: Metadata = { title: 'Runs' };

export default function Page() {
  return (
    <Suspense>
      <RunsView />
    </Suspense>
  );
}
