/** What /metrics says of a running server, in Prometheus's text format: its process, its requests and its jobs. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { jobStatuses } from './contract/jobs.ts';
import type { Job } from './contract/jobs.ts';

interface Readings {
  jobs: () => readonly Job[];
  /** Open subscriptions to jobs. */
  subscriptions: () => number;
  /** Bytes of tables that readers have not taken yet. */
  tableBytes: () => number;
}

export class ServerMetrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'status'>;
  readonly #procedures: Histogram<'procedure' | 'outcome'>;

  /** What is given is asked at each reading. */
  constructor({ jobs, subscriptions, tableBytes }: Readings) {
    const registers = [this.#registry];
    // Memory, processor time, open handles and the lag of the event loop.
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Counter({
      name: 'lazyscope_http_requests_total',
      help: 'HTTP requests answered, by status.',
      labelNames: ['status'],
      registers,
    });
    this.#procedures = new Histogram({
      name: 'lazyscope_procedure_seconds',
      help: 'Seconds that calls of procedures took, by procedure and outcome.',
      labelNames: ['procedure', 'outcome'],
      buckets: [0.005, 0.02, 0.05, 0.15, 0.5, 2, 10],
      registers,
    });
    const jobsByStatus = new Gauge({
      name: 'lazyscope_jobs',
      help: 'Jobs of the log, by status.',
      labelNames: ['status'],
      collect() {
        for (const status of jobStatuses)
          this.set({ status }, jobs().filter((job) => job.status === status).length);
      },
      registers: [],
    });
    this.#registry.registerMetric(jobsByStatus);
    for (const [name, help, read] of [
      ['lazyscope_subscriptions', 'Open subscriptions to jobs.', subscriptions],
      ['lazyscope_table_bytes_waiting', 'Bytes of tables that readers have not taken yet.', tableBytes],
    ] as const)
      this.#registry.registerMetric(
        new Gauge({
          name,
          help,
          collect() {
            this.set(read());
          },
          registers: [],
        }),
      );
  }

  answered(status: number): void {
    this.#requests.inc({ status });
  }

  called(procedure: string, ok: boolean, seconds: number): void {
    this.#procedures.observe({ procedure, outcome: ok ? 'ok' : 'error' }, seconds);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Stops the timers of the process's figures. */
  close(): void {
    this.#registry.clear();
  }
}
