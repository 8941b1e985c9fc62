import type { Metadata } from 'next';
import { notFound } from 'next/navigation';
import { Suspense } from 'react';
import { FeatureView } from '../../../../../components/features/FeatureView.tsx';
import { wholeNumber } from '../../../../../format/wholeNumber.ts';

interface Props {
  params: Promise<{ name: string; seed: string; latent: string }>;
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { name, seed, latent } = await params;
  return { title: `Latent ${latent} of ${decodeURIComponent(name)}, seed ${seed}` };
}

export default async function Page({ params }: Props) {
  const { name, seed, latent } = await params;
  const [seedNumber, latentNumber] = [wholeNumber(seed), wholeNumber(latent)];
  if (seedNumber === undefined || latentNumber === undefined) notFound();
  return (
    <Suspense>
      <FeatureView run={decodeURIComponent(name)} seed={seedNumber} latent={latentNumber} />
    </Suspense>
  );
}
