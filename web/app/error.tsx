'use client';
import { ErrorNotice } from '../components/ErrorNotice.tsx';
import { PageHeader } from '../components/PageHeader.tsx';

export default function ErrorPage({ error, reset }: { error: Error; reset: () => void }) {
  return (
    <>
      <PageHeader title="This page failed" />
      <ErrorNotice error={error} retry={reset} />
    </>
  );
}
