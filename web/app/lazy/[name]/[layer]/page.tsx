import type { Metadata } from 'next';
import { notFound } from 'next/navigation';
import { Suspense } from 'react';
import { LayerView } from '../../../../components/lazy/LayerView.tsx';
import { wholeNumber } from '../../../../format/wholeNumber.ts';

interface Props {
  params: Promise<{ name: string; layer: string }>;
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { name, layer } = await params;
  return { title: `Layer ${layer} of ${decodeURIComponent(name)}` };
}

export default async function Page({ params }: Props) {
  const { name, layer } = await params;
  const number = wholeNumber(layer);
  if (number === undefined) notFound();
  return (
    <Suspense>
      <LayerView report={decodeURIComponent(name)} layer={number} />
    </Suspense>
  );
}
