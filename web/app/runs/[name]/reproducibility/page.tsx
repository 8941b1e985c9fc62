import type { Metadata } from 'next';
import { ReproducibilityView } from '../../../../components/reproducibility/ReproducibilityView.tsx';

interface Props {
  params: Promise<{ name: string }>;
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  return { title: `Reproducibility of ${decodeURIComponent((await params).name)}` };
}

export default async function Page({ params }: Props) {
  return <ReproducibilityView name={decodeURIComponent((await params).name)} />;
}
