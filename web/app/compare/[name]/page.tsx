import type { Metadata } from 'next';
import { Suspense } from 'react';
import { ComparisonView } from '../../../components/compare/ComparisonView.tsx';

interface Props {
  params: Promise<{ name: string }>;
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  return { title: `Compare ${decodeURIComponent((await params).name)}` };
}

export default async function Page({ params }: Props) {
  return (
    <Suspense>
      <ComparisonView name={decodeURIComponent((await params).name)} />
    </Suspense>
  );
}
