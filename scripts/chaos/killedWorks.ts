/** What is killed: commands over a small store, each of which needs what those before it made. */
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

export interface KilledWork {
  name: string;
  /** Arguments of the first start and of every later one. `store` is the data folder. */
  start(store: string): string[];
  again(store: string): string[];
}

function work(name: string, args: readonly string[], resumed: readonly string[] = []): KilledWork {
  const given = (store: string) => [...args.map((arg) => arg.replace('STORE', store)), `--data=${store}`];
  return { name, start: given, again: (store) => [...given(store), ...resumed] };
}

/** The text that the small model is trained on, in the store. */
export const textFile = 'words.txt';
export function words(): string {
  return Array.from({ length: 20_000 }, (_, at) => `word${(at * 7919) % 613}`).join(' ');
}

export const run = 'killed';

export const commands: readonly KilledWork[] = [
  work('capture', [
    'capture',
    `--model=${join(root, 'data', 'models', 'lazyscope-demo-relu')}`,
    '--text=dataset:moby-dick',
    '--hook=blocks.2.hook_resid_post',
    '--name=text',
    '--max-tokens=12000',
    '--held-out=0.3',
  ]),
  work(
    'train',
    [
      'train',
      '--capture=text',
      '--architecture=topk',
      '--k=8',
      '--width=256',
      '--seeds=0,1',
      '--tokens=60000',
      '--batch-size=256',
      '--checkpoint-every=20',
      `--name=${run}`,
    ],
    ['--resume'],
  ),
  work('index', ['index', run]),
  work('compare', ['compare', `${run}/0`, `${run}/1`, '--name=pair']),
  work(
    'lm train',
    [
      'lm',
      'train',
      `--text=STORE/${textFile}`,
      '--name=small',
      '--vocabulary=300',
      '--d=32',
      '--layers=2',
      '--heads=2',
      '--neurons=64',
      '--context-length=32',
      '--batch-size=8',
      '--steps=120',
      '--warmup-steps=10',
      '--validation-sequences=32',
      '--validate-every=60',
      '--checkpoint-every=20',
    ],
    ['--resume'],
  ),
];
