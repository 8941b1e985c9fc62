import type { Metadata } from 'next';
import { RunView } from '../../../components/runs/RunView.tsx';

interface Props {
  params: Promise<{ name: string }>;
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  return { title: decodeURIComponent((await params).name) };
}

export default async function Page({ params }: Props) {
  return <RunView name={decodeURIComponent((await params).name)} />;
}
