import { labelMethods } from '../tables/labels.ts';
import { labelCost } from './cost.ts';
import type { JobDescription } from './job.ts';
import { run } from './sharedOptions.ts';

/** `lazyscope label`: labels found in the data or written by an endpoint, each with a score on contexts that it was not made from. */
export const label = {
  summary: 'label latents automatically, with scores on other contexts, or from Neuronpedia',
  title: 'Label features',
  shortTitle: 'Label',
  introduction:
    'Names latents by a rule found in their examples, or asks an endpoint, and scores each name on other contexts.',
  options: {
    run,
    seed: {
      field: { type: 'integers', min: 0, maxItems: 1000, doc: 'seeds, for example 0,1,2 or 0-4' },
      otherwise: 'all of the run',
      form: { label: 'Seeds' },
    },
    method: {
      field: {
        type: 'choice',
        choices: labelMethods,
        titles: {
          data: 'rules found in the data',
          neuronpedia: 'explanations fetched from Neuronpedia',
          endpoint: 'a language model behind an endpoint',
        },
        placeholder: 'way',
        doc: 'data: rules found in the examples; neuronpedia: explanations fetched from there; endpoint: a language model behind a chat-completions endpoint',
      },
      default: 'data',
      form: { label: 'Method', hint: 'an endpoint must be set in the environment of the server' },
    },
    from: {
      field: {
        type: 'name',
        placeholder: 'path',
        doc: 'neuronpedia: the folder of a source as its public bucket has it, or a file of explanations, also by its name in the folder imports of the data folder',
      },
      open: true,
      form: {
        label: 'Folder or file of Neuronpedia',
        source: 'imports',
        hint: 'put it into the folder imports of the data folder',
        when: { option: 'method', values: ['neuronpedia'] },
      },
    },
    anySource: {
      field: {
        type: 'flag',
        doc: 'neuronpedia: also where its features are not like those of the dictionary',
      },
      form: {
        label: 'Also if its features are not like those here',
        when: { option: 'method', values: ['neuronpedia'] },
        advanced: true,
      },
    },
    top: {
      field: {
        type: 'integer',
        min: 1,
        doc: 'label the latents that are active on most tokens, this many; those without contexts for a score are passed over',
      },
      otherwise: 'all that are active',
      form: { label: 'Most latents', hint: 'those that are active on most tokens' },
    },
    latents: {
      field: {
        type: 'integers',
        min: 0,
        maxItems: 1000,
        doc: 'label these latents, for example 3,17 or 0-49',
      },
      otherwise: 'those of --top',
      form: { label: 'Latents', advanced: true },
    },
    yes: {
      field: {
        type: 'flag',
        doc: 'endpoint: start; without it the number of requests and tokens, and their price, is printed and nothing is sent',
      },
      form: {
        label: 'Start: without this the cost is estimated and nothing is sent',
        when: { option: 'method', values: ['endpoint'] },
      },
    },
    baseUrl: {
      field: {
        type: 'text',
        maxLength: 500,
        placeholder: 'address',
        doc: 'endpoint: its address up to /chat/completions, for example http://127.0.0.1:8080/v1',
      },
      otherwise: 'LAZYSCOPE_LABEL_BASE_URL; without either no endpoint is asked',
    },
    model: {
      field: {
        type: 'text',
        maxLength: 200,
        placeholder: 'name',
        doc: 'endpoint: the model; neuronpedia: take explanations by this model alone',
      },
      otherwise: 'LAZYSCOPE_LABEL_MODEL; of Neuronpedia all',
    },
    promptPrice: {
      field: {
        type: 'number',
        min: 0,
        placeholder: 'price',
        doc: 'endpoint: of a million tokens of prompts',
      },
      otherwise: 'unknown',
      form: {
        label: 'Price of a million prompt tokens',
        when: { option: 'method', values: ['endpoint'] },
        advanced: true,
      },
    },
    answerPrice: {
      field: {
        type: 'number',
        min: 0,
        placeholder: 'price',
        doc: 'endpoint: of a million tokens of answers',
      },
      otherwise: 'unknown',
      form: {
        label: 'Price of a million answer tokens',
        when: { option: 'method', values: ['endpoint'] },
        advanced: true,
      },
    },
    scoredContexts: {
      field: {
        type: 'integer',
        min: 2,
        max: 100,
        doc: 'endpoint: contexts a label is scored on, half of them active, for detection and again for fuzzing',
      },
      default: 20,
      form: {
        label: 'Contexts of a score',
        when: { option: 'method', values: ['endpoint'] },
        advanced: true,
      },
    },
    requestsPerMinute: {
      field: { type: 'integer', min: 1, doc: 'endpoint: requests a minute at most' },
      default: 60,
      form: {
        label: 'Requests a minute',
        when: { option: 'method', values: ['endpoint'] },
        advanced: true,
      },
    },
    timeout: {
      field: { type: 'number', min: 0, above: true, placeholder: 'seconds', doc: 'endpoint: for one answer' },
      default: 60,
    },
    retries: {
      field: {
        type: 'integer',
        min: 0,
        doc: 'endpoint: how often a request is sent again after no answer, 429 or a fault of the endpoint',
      },
      default: 5,
    },
  },
  subject: { what: 'run', option: 'run' },
  cost: labelCost,
} as const satisfies JobDescription;
