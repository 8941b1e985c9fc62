import type { Metadata } from 'next';
import { notFound } from 'next/navigation';
import { Suspense } from 'react';
import { FeaturesView } from '../../../../components/features/FeaturesView.tsx';
import { wholeNumber } from '../../../../format/wholeNumber.ts';

interface Props {
  params: Promise<{ name: string; seed: string }>;
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { name, seed } = await params;
  return { title: `Features of ${decodeURIComponent(name)}, seed ${seed}` };
}

export default async function Page({ params }: Props) {
  const { name, seed } = await params;
  const number = wholeNumber(seed);
  if (number === undefined) notFound();
  return (
    <Suspense>
      <FeaturesView run={decodeURIComponent(name)} seed={number} />
    </Suspense>
  );
}
