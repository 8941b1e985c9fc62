'use client';
import { useCallback, useEffect, useReducer, useRef } from 'react';
import type { SteeringEvent, VariantName } from '../../../server/client.ts';
import { useTRPCClient } from '../../client/trpc.ts';

export interface Continuation {
  variant: VariantName;
  /** Which draw; null for the greedy one. */
  sample: number | null;
  text: string;
  stopped: string | null;
}

export interface Steering {
  status: 'idle' | 'starting' | 'writing' | 'done' | 'stopped' | 'failed';
  message: string | null;
  variants: VariantName[];
  counterparts: Extract<SteeringEvent, { type: 'start' }>['counterparts'];
  next: Extract<SteeringEvent, { type: 'next' }> | null;
  continuations: Continuation[];
  end: Extract<SteeringEvent, { type: 'end' }> | null;
}

const idle: Steering = {
  status: 'idle',
  message: null,
  variants: [],
  counterparts: null,
  next: null,
  continuations: [],
  end: null,
};

type Action = SteeringEvent | { type: 'begin' } | { type: 'stop' } | { type: 'lost'; message: string };

/** What is known after an event. */
export function steeringAfter(before: Steering, event: Action): Steering {
  switch (event.type) {
    case 'begin':
      return { ...idle, status: 'starting' };
    case 'start': {
      const { variants, counterparts, rows } = event;
      const continuations = rows.map(({ variant, sample }) => ({
        variant: variants[variant] ?? 'without',
        sample,
        text: '',
        stopped: null,
      }));
      // A connection that was lost and found again begins from the start.
      return { ...idle, status: 'writing', variants, counterparts, continuations };
    }
    case 'next':
      return { ...before, next: event };
    case 'tokens': {
      const continuations = before.continuations.map((one) => ({ ...one }));
      for (const { row, text } of event.tokens) continuations[row]!.text += text;
      for (const { row, stopped } of event.ended) continuations[row]!.stopped = stopped;
      return { ...before, continuations };
    }
    case 'end':
      return { ...before, status: 'done', end: event };
    case 'stop':
      return before.status === 'starting' || before.status === 'writing'
        ? { ...before, status: 'stopped' }
        : before;
    case 'failed':
    case 'lost':
      return { ...before, status: 'failed', message: event.message };
  }
}

/** Runs one steering at a time; leaving the page ends it. */
export function useSteering() {
  const client = useTRPCClient();
  const [steering, dispatch] = useReducer(steeringAfter, idle);
  const running = useRef<{ unsubscribe: () => void } | null>(null);
  const stop = useCallback(() => {
    running.current?.unsubscribe();
    running.current = null;
    dispatch({ type: 'stop' });
  }, []);
  const start = useCallback(
    (input: Parameters<typeof client.playground.steer.subscribe>[0]) => {
      running.current?.unsubscribe();
      dispatch({ type: 'begin' });
      let left = false;
      // What was on its way when it was stopped would set it going again.
      const tell = (action: Action) => {
        if (!left) dispatch(action);
      };
      const subscription = client.playground.steer.subscribe(input, {
        onData: tell,
        onError: (error) => tell({ type: 'lost', message: error.message }),
      });
      running.current = {
        unsubscribe() {
          left = true;
          subscription.unsubscribe();
        },
      };
    },
    [client],
  );
  useEffect(() => () => running.current?.unsubscribe(), []);
  return { steering, start, stop };
}
