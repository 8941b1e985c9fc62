/** A plan as a Kubernetes Job: indexed, a pod a run, on a volume that all of them see. */
import { stringify } from 'yaml';
import type { JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import { taskCase } from '../../server/slurm/slurmScript.ts';
import type { Resources } from '../../server/workers/resources.ts';

export interface KubernetesOptions {
  /** Of the Job: lower-case letters, digits and dashes, 63 at most. */
  name: string;
  jobs: readonly JobStartInput[];
  resources: Resources;
  /** An image in which `lazyscope` is a command. */
  image: string;
  /** The PersistentVolumeClaim of the data folder. */
  claim: string;
}

/** Where the claim is mounted in each pod. */
const dataFolder = '/data';

/** The manifest as YAML, for `kubectl apply -f -`. */
export function kubernetesJob({ name, jobs, resources, image, claim }: KubernetesOptions): string {
  const limits = {
    ...(resources.memory > 0 && { memory: String(resources.memory) }),
    ...(resources.gpu > 0 && { 'nvidia.com/gpu': String(resources.gpu) }),
  };
  const script = `${taskCase('$JOB_COMPLETION_INDEX', jobs)}
# The lease lets a pod that takes the place of a failed one take over the lock which that left.
export LAZYSCOPE_LEASE="${name}.$JOB_COMPLETION_INDEX:$(date +%s)"
exec lazyscope "$@" --json --data=${dataFolder}
`;
  return stringify(
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name, labels: { 'app.kubernetes.io/name': 'lazyscope' } },
      spec: {
        completionMode: 'Indexed',
        completions: jobs.length,
        parallelism: jobs.length,
        backoffLimitPerIndex: 3,
        template: {
          metadata: { labels: { 'app.kubernetes.io/name': 'lazyscope' } },
          spec: {
            restartPolicy: 'Never',
            // A pod that is asked to stop writes a checkpoint first.
            terminationGracePeriodSeconds: 90,
            containers: [
              {
                name: 'lazyscope',
                image,
                command: ['/bin/sh', '-c', script],
                ...(Object.keys(limits).length > 0 && { resources: { limits } }),
                volumeMounts: [{ name: 'data', mountPath: dataFolder }],
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
