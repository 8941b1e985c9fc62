/** A plan as Kubernetes Jobs: an indexed one a stage, a pod a task, on a volume that all of them see. */
import { stringify } from 'yaml';
import type { Task } from '../../server/jobs/tasks.ts';
import { taskCase } from '../../server/slurm/slurmScript.ts';
import type { Resources } from '../../server/workers/resources.ts';

export interface KubernetesOptions {
  /** Of the Job: lower-case letters, digits and dashes, 55 at most. */
  name: string;
  /** The tasks of one stage wait for those of the stage before. */
  stages: readonly (readonly Task[])[];
  resources: Resources;
  /** An image in which `lazyscope` is a command. */
  image: string;
  /** The PersistentVolumeClaim of the data folder. */
  claim: string;
}

/** Where the claim is mounted in each pod. */
const dataFolder = '/data';

/** The manifests as YAML, for `kubectl apply -f -`. */
export function kubernetesJob(options: KubernetesOptions): string {
  const { stages } = options;
  if (stages.length === 1) return manifest(options, options.name, stages[0]);
  // Jobs of Kubernetes don't wait for each other: each task of a stage leaves a file, and the next stage waits for these.
  const names = stages.map((_, at) => (at < stages.length - 1 ? `${options.name}-parts` : options.name));
  const markers = `${dataFolder}/launches/${options.name}`;
  return stages
    .map((tasks, at) => {
      const before = stages[at - 1];
      return manifest(options, names[at], tasks, {
        ...(before && { waits: `until [ "$(ls ${markers} 2>/dev/null | wc -l)" -ge ${before.length} ]; do sleep 5; done` }), // prettier-ignore
        afterwards: before
          ? `rm -rf ${markers}`
          : `mkdir -p ${markers} && touch "${markers}/$JOB_COMPLETION_INDEX"`,
      });
    })
    .join('---\n');
}

/** `waits`: what the pods do before; `afterwards`: what they do when the command has ended well. */
function manifest(
  { resources, image, claim }: KubernetesOptions,
  name: string,
  tasks: readonly Task[],
  { waits, afterwards }: { waits?: string; afterwards?: string } = {},
): string {
  const limits = {
    ...(resources.memory > 0 && { memory: String(resources.memory) }),
    ...(resources.gpu > 0 && { 'nvidia.com/gpu': String(resources.gpu) }),
  };
  const command = `lazyscope "$@" --json --data=${dataFolder}`;
  const script = `${taskCase('$JOB_COMPLETION_INDEX', tasks)}
# The lease lets a pod that takes the place of a failed one take over the lock which that left.
export LAZYSCOPE_LEASE="${name}.$JOB_COMPLETION_INDEX:$(date +%s)"
${afterwards === undefined ? `exec ${command}\n` : followed(command, afterwards)}`;
  const volumeMounts = [{ name: 'data', mountPath: dataFolder }];
  return stringify(
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name, labels: { 'app.kubernetes.io/name': 'lazyscope' } },
      spec: {
        completionMode: 'Indexed',
        completions: tasks.length,
        parallelism: tasks.length,
        backoffLimitPerIndex: 3,
        template: {
          metadata: { labels: { 'app.kubernetes.io/name': 'lazyscope' } },
          spec: {
            restartPolicy: 'Never',
            // A pod that is asked to stop writes a checkpoint first.
            terminationGracePeriodSeconds: 90,
            ...(waits !== undefined && {
              initContainers: [{ name: 'wait', image, command: ['/bin/sh', '-c', waits], volumeMounts }],
            }),
            containers: [
              {
                name: 'lazyscope',
                image,
                command: ['/bin/sh', '-c', script],
                ...(Object.keys(limits).length > 0 && { resources: { limits } }),
                volumeMounts,
              },
            ],
            volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }],
          },
        },
      },
    },
    { lineWidth: 0 },
  );
}

/** The shell hands on that it is to stop, and waits until the command has written what it can keep. */
function followed(command: string, afterwards: string): string {
  return `${command} &
child=$!
trap 'kill -TERM $child' TERM
wait $child
code=$?
while kill -0 $child 2>/dev/null; do
  wait $child
  code=$?
done
if [ $code -eq 0 ]; then ${afterwards}; fi
exit $code
`;
}
