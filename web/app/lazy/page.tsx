import type { Metadata } from 'next';
import { Suspense } from 'react';
import { LazyView } from '../../components/lazy/LazyView.tsx';

export const metadata: Metadata = { title: 'Lazy neurons' };

export default function Page() {
  return (
    <Suspense>
      <LazyView />
    </Suspense>
  );
}
