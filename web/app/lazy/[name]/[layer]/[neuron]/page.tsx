import type { Metadata } from 'next';
import { notFound } from 'next/navigation';
import { Suspense } from 'react';
import { NeuronView } from '../../../../../components/lazy/NeuronView.tsx';
import { wholeNumber } from '../../../../../format/wholeNumber.ts';

interface Props {
  params: Promise<{ name: string; layer: string; neuron: string }>;
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { name, layer, neuron } = await params;
  return { title: `Neuron ${neuron} of layer ${layer}, ${decodeURIComponent(name)}` };
}

export default async function Page({ params }: Props) {
  const { name, layer, neuron } = await params;
  const [layerNumber, neuronNumber] = [wholeNumber(layer), wholeNumber(neuron)];
  if (layerNumber === undefined || neuronNumber === undefined) notFound();
  return (
    <Suspense>
      <NeuronView report={decodeURIComponent(name)} layer={layerNumber} neuron={neuronNumber} />
    </Suspense>
  );
}
