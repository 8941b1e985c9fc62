/**
 * Progress for whoever watches: a bar that redraws itself on a terminal, JSON Lines for the server, and
 * otherwise (a log file, a pipe) a line now and then. Always on standard error.
 */
import type { Progress, Report } from '../../sae/progress.ts';

export interface ProgressView {
  report: Report;
  /** Prints a line that stays. */
  say(line: string): void;
  /** Ends the bar, so that what is printed next starts on a line of its own. */
  end(): void;
}

interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export function progressView(
  mode: string | undefined,
  out: Output,
  now = () => performance.now(),
): ProgressView {
  if (mode === 'json') return jsonLines(out, now);
  return out.isTTY ? bar(out, now) : occasionalLines(out, now);
}

function jsonLines(out: Output, now: () => number): ProgressView {
  const due = throttle(150, now);
  const clock = stageClock(now);
  return {
    report: (progress) => {
      const { left } = clock(progress);
      if (!due(progress)) return;
      const timed = left === undefined ? progress : { ...progress, secondsLeft: Number(left.toFixed(1)) };
      out.write(`${JSON.stringify({ progress: timed })}\n`);
    },
    say: (line) => out.write(`${line}\n`),
    end() {},
  };
}

function bar(out: Output, now: () => number): ProgressView {
  const due = throttle(80, now);
  const clock = stageClock(now);
  let drawn = false;
  let stage = '';
  const end = () => {
    if (drawn) out.write('\n');
    drawn = false;
  };
  return {
    report(progress) {
      const time = clock(progress);
      if (!due(progress)) return;
      if (drawn && progress.stage !== stage) end();
      ({ stage } = progress);
      out.write(`\r\x1b[2K${cut(barLine(progress, time), (out.columns ?? 80) - 1)}`);
      drawn = true;
    },
    say(line) {
      end();
      out.write(`${line}\n`);
    },
    end,
  };
}

function occasionalLines(out: Output, now: () => number): ProgressView {
  const clock = stageClock(now);
  let last = 0;
  /** The stage whose last line was written, after which reports of its end say nothing new. */
  let ended: string | undefined;
  return {
    report(progress) {
      const time = clock(progress);
      const isEnd = progress.done >= progress.total;
      if (progress.stage !== ended || !isEnd) ended = undefined;
      // Short stages print nothing; long ones print a line every ten seconds and one at the end.
      if (time.seconds < 2 || ended !== undefined || (now() - last < 10_000 && !isEnd)) return;
      last = now();
      if (isEnd) ended = progress.stage;
      out.write(`${plainLine(progress, time)}\n`);
    },
    say: (line) => out.write(`${line}\n`),
    end() {},
  };
}

/** True for the first report of a stage, its last, and one an interval in between. */
function throttle(interval: number, now: () => number): (progress: Progress) => boolean {
  let stage: string | undefined;
  let last = 0;
  let finished = false;
  return (progress) => {
    const isNew = progress.stage !== stage || (finished && progress.done < progress.total);
    const isLast = progress.done >= progress.total && !finished;
    if (!isNew && !isLast && (now() - last < interval || finished)) return false;
    stage = progress.stage;
    last = now();
    finished = progress.done >= progress.total;
    return true;
  };
}

/** Of a stage: seconds since its first report, and how many more it takes at this rate, once that can be said. */
interface StageTime {
  seconds: number;
  left?: number | undefined;
}

/** A stage may begin in the middle, as a resumed training does: what was done before says nothing about the rate. */
function stageClock(now: () => number): (progress: Progress) => StageTime {
  let stage: string | undefined;
  let started = 0;
  let begun = 0;
  return ({ stage: current, done, total }) => {
    if (current !== stage || done < begun) {
      stage = current;
      started = now();
      begun = done;
    }
    const seconds = (now() - started) / 1000;
    const known = done > begun && done < total && seconds > 1;
    return { seconds, left: known ? (seconds * (total - done)) / (done - begun) : undefined };
  };
}

const barWidth = 24;

export function barLine(progress: Progress, time: StageTime): string {
  const share = progress.total > 0 ? Math.min(1, progress.done / progress.total) : 0;
  const full = Math.round(share * barWidth);
  const blocks = '█'.repeat(full) + '░'.repeat(barWidth - full);
  return `${progress.stage.padEnd(24)} ${blocks} ${String(Math.floor(share * 100)).padStart(3)} %  ${figures(progress, time)}`;
}

function plainLine(progress: Progress, time: StageTime): string {
  const share = progress.total > 0 ? Math.floor((100 * progress.done) / progress.total) : 0;
  return `${progress.stage}: ${share} %, ${figures(progress, time)}`;
}

function figures({ done, total, unit, values }: Progress, { left }: StageTime): string {
  return [
    `${short(done)}/${short(total)} ${unit}`,
    ...Object.entries(values ?? {}).map(([name, value]) => `${spaced(name)} ${short(value)}`),
    ...(left === undefined ? [] : [`${duration(left)} left`]),
  ].join('  ');
}

const spaced = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e6) return `${(value / 1e6).toFixed(size >= 1e7 ? 1 : 2)}M`;
  if (size >= 1e4) return `${(value / 1e3).toFixed(size >= 1e5 ? 0 : 1)}k`;
  if (Number.isInteger(value)) return String(value);
  return size >= 1000 ? String(Math.round(value)) : value.toPrecision(3);
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${Math.round(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const cut = (text: string, width: number) => (text.length > width ? text.slice(0, Math.max(0, width)) : text);
