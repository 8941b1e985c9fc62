import type { Metadata } from 'next';
import { OverviewView } from '../components/overview/OverviewView.tsx';

export const metadata: Metadata = { title: { absolute: 'Lazyscope' } };

export default function Page() {
  return <OverviewView />;
}
