import { Command } from 'commander';
import { expect, test } from 'vitest';
import { describedJob } from '../../sae/spec/jobs/jobs.ts';
import { commanderOption } from './commanderOption.ts';

test('hook points are repeated or have commas between them, as train has them; paths keep their commas', () => {
  const { hooks, from } = describedJob('capture').options;
  const command = new Command('capture')
    .addOption(commanderOption('hooks', hooks))
    .addOption(commanderOption('from', from));
  command.parse(['--hook=hook_embed, blocks.0.hook_mlp_out', '--from=a,b.npy', '--hook=hook_pos_embed', '--from=c.npy'], { from: 'user' }); // prettier-ignore
  expect(command.opts()).toMatchObject({
    hook: ['hook_embed', 'blocks.0.hook_mlp_out', 'hook_pos_embed'],
    from: ['a,b.npy', 'c.npy'],
  });
});
