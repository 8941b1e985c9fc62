import type { Metadata } from 'next';
import { Suspense } from 'react';
import { JobsView } from '../../components/jobs/JobsView.tsx';

export const metadata: Metadata = { title: 'Jobs' };

export default function Page() {
  return (
    <Suspense>
      <JobsView />
    </Suspense>
  );
}
