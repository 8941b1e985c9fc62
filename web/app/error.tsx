'use client';
import { ErrorNotice } from '../components/ui/ErrorNotice.tsx';
import { PageHeader } from '../components/ui/PageHeader.tsx';

export default function ErrorPage({ error, reset }: { error: Error; reset: () => void }) {
  return (
    <>
      <PageHeader title="This page failed" />
      <ErrorNotice error={error} retry={reset} />
    </>
  );
}
