import type { Metadata } from 'next';
import { Suspense } from 'react';
import { LabelsView } from '../../components/labels/LabelsView.tsx';

export const metadata: Metadata = { title: 'Labels' };

export default function Page() {
  return (
    <Suspense>
      <LabelsView />
    </Suspense>
  );
}
