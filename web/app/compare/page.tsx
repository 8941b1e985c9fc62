import type { Metadata } from 'next';
import { Suspense } from 'react';
import { ComparisonsView } from '../../components/compare/ComparisonsView.tsx';

export const metadata: Metadata = { title: 'Compare' };

export default function Page() {
  return (
    <Suspense>
      <ComparisonsView />
    </Suspense>
  );
}
