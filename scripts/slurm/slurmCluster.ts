/** A real Slurm of one node: munged, slurmctld and slurmd, in a folder and on ports of their own. For tests; needs root. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../sae/fixtures/freePort.ts';

export interface SlurmCluster {
  /** What commands of Slurm need in their environment. */
  environment: { SLURM_CONF: string };
  stop(): Promise<void>;
}

const programs = ['munged', 'slurmctld', 'slurmd', 'sbatch', 'squeue', 'scancel'];
/** Why there can be no Slurm here; undefined where there can. */
export function whyNoSlurm(): string | undefined {
  if (process.getuid?.() !== 0) return 'its daemons need root';
  const path = `${process.env['PATH']}:/usr/sbin`;
  const missing = programs.find((name) => spawnSync('sh', ['-c', `command -v ${name}`], { env: { ...process.env, PATH: path } }).status !== 0); // prettier-ignore
  return missing && `there is no ${missing} (Debian's slurm-wlm and munge)`;
}

/** Throws where the node doesn't become idle in a minute. */
export async function startSlurm(cores = 2): Promise<SlurmCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'lazyscope-slurm-'));
  const [controller, node] = await Promise.all([freePort(), freePort()]);
  const at = (name: string) => join(folder, name);
  for (const name of ['state', 'spool']) mkdirSync(at(name));
  writeFileSync(at('key'), randomBytes(1024), { mode: 0o400 });
  const host = hostname().split('.')[0];
  writeFileSync(at('slurm.conf'), `ClusterName=lazyscope
SlurmctldHost=${host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${at('munge.sock')}
CredType=cred/munge
StateSaveLocation=${at('state')}
SlurmdSpoolDir=${at('spool')}
SlurmctldPidFile=${at('slurmctld.pid')}
SlurmdPidFile=${at('slurmd.pid')}
SlurmctldLogFile=${at('slurmctld.log')}
SlurmdLogFile=${at('slurmd.log')}
SlurmctldPort=${controller}
SlurmdPort=${node}
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName=${host} NodeAddr=127.0.0.1 CPUs=${cores} State=UNKNOWN
PartitionName=all Nodes=${host} Default=YES MaxTime=INFINITE State=UP
`); // prettier-ignore
  const environment = { SLURM_CONF: at('slurm.conf') };
  const env = { ...process.env, ...environment, PATH: `${process.env['PATH']}:/usr/sbin` };
  const daemons: ChildProcess[] = [];
  const daemon = (command: string, ...args: string[]) =>
    daemons.push(spawn(command, args, { env, stdio: 'ignore' }));
  const stop = async () => {
    for (const each of daemons.reverse()) {
      const closed = new Promise((resolve) => each.once('exit', resolve));
      if (each.exitCode === null && each.kill('SIGTERM')) await Promise.race([closed, sleep(10_000)]);
      each.kill('SIGKILL');
    }
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  daemon('munged', '--foreground', '--force', `--key-file=${at('key')}`, `--socket=${at('munge.sock')}`, `--pid-file=${at('munged.pid')}`, `--log-file=${at('munged.log')}`, `--seed-file=${at('seed')}`); // prettier-ignore
  await sleep(500);
  daemon('slurmctld', '-D', '-f', environment.SLURM_CONF);
  daemon('slurmd', '-D', '-f', environment.SLURM_CONF);
  const state = () =>
    spawnSync('sinfo', ['--noheader', '--format=%t'], { env, encoding: 'utf8' }).stdout?.trim();
  for (let waited = 0; state() !== 'idle'; waited++) {
    if (waited > 120) {
      const said = readFileSync(at('slurmctld.log'), 'utf8').slice(-1000);
      await stop();
      throw new Error(`Slurm did not start: ${said}`);
    }
    await sleep(500);
  }
  return { environment, stop };
}
