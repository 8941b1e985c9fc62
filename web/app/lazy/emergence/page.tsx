import type { Metadata } from 'next';
import { Suspense } from 'react';
import { EmergenceView } from '../../../components/lazy/EmergenceView.tsx';

export const metadata: Metadata = { title: 'Emergence of lazy neurons' };

export default function Page() {
  return (
    <Suspense>
      <EmergenceView />
    </Suspense>
  );
}
