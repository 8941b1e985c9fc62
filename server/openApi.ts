/**
 * What the server answers as an OpenAPI 3.1 document, for programs in other languages. Inputs are the zod schemas that requests are parsed
 * with. Outputs are TypeScript types, which are gone at run time: the document names the envelope, and `lazyscope/client` has the types.
 */
import type { AnyProcedure, AnyRouter } from '@trpc/server';
import { z } from 'zod';
import type { Table } from '../sae/spec/tables/table.ts';
import { parametersOf, storedTables, type StoredTable } from './queries/storedTables.ts';
import { appRouter } from './root.ts';

type Json = Record<string, unknown>;

export function openApiDocument(version: string): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Lazyscope',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        "Procedures are under /trpc, in tRPC's wire format: a query's input is the JSON text of the parameter `input`, a mutation's is the body. Answers to procedures are `{ result: { data } }`. Whole tables are under /api.",
    },
    servers: [{ url: '/', description: 'the server that this document comes from' }],
    security: [{}, { token: [] }],
    paths: { ...procedurePaths(), ...tablePaths(), ...otherPaths },
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'The token that the server was started with; on a loopback address there may be none.',
        },
      },
      schemas: { ProcedureError: procedureError, Error: errorSchema },
      responses: {
        ProcedureError: { description: 'The request failed.', ...json(ref('ProcedureError')) },
        Error: { description: 'The request failed.', ...json(ref('Error')) },
      },
    },
  };
}

const ref = (schema: string) => ({ $ref: `#/components/schemas/${schema}` });
const json = (schema: Json) => ({ content: { 'application/json': { schema } } });

const errorCodes = {
  type: 'string',
  description: 'bad_input, not_found, conflict, corrupt, newer, unavailable, no_space or cancelled',
};
const procedureError = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'code', 'data'],
      properties: {
        message: { type: 'string', description: 'one sentence that says what is wrong and what to do' },
        code: { type: 'integer', description: "tRPC's number" },
        data: {
          type: 'object',
          properties: {
            code: { type: 'string', description: "tRPC's name of the error" },
            httpStatus: { type: 'integer' },
            path: { type: 'string' },
            lazyscopeCode: { ...errorCodes, type: ['string', 'null'] },
          },
        },
      },
    },
  },
};
const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: { code: errorCodes, message: { type: 'string' } },
    },
  },
};

function procedurePaths(): Json {
  // At run time procedures stand under their whole names; the type of this very router nests them.
  const { _def: router }: AnyRouter = appRouter;
  return Object.fromEntries(
    Object.entries<AnyProcedure>(router.procedures).map(([name, procedure]) => {
      const method = definitionOf(procedure).type === 'mutation' ? 'post' : 'get';
      return [`/trpc/${name}`, { [method]: operationOf(name, procedure) }];
    }),
  );
}

function definitionOf({ _def: definition }: AnyProcedure) {
  return definition;
}

function operationOf(name: string, procedure: AnyProcedure): Json {
  const { type } = definitionOf(procedure);
  const input = inputSchema(definitionOf(procedure));
  const given =
    input &&
    (type === 'mutation'
      ? { requestBody: { required: true, ...json(input) } }
      : { parameters: [{ name: 'input', in: 'query', required: isRequired(input), ...json(input) }] });
  const answer =
    type === 'subscription'
      ? {
          description: 'Server-sent events, each with the JSON of one message as its data.',
          content: { 'text/event-stream': { schema: { type: 'string' } } },
        }
      : {
          description: `What \`lazyscope.${name}\` of the typed client gives, in tRPC's envelope.`,
          ...json({
            type: 'object',
            required: ['result'],
            // A procedure without an answer leaves `data` out.
            properties: { result: { type: 'object', properties: { data: {} } } },
          }),
        };
  return {
    operationId: name,
    tags: [name.split('.')[0]],
    summary: `${type} ${name}`,
    ...given,
    responses: { 200: answer, default: { $ref: '#/components/responses/ProcedureError' } },
  };
}

/** Undefined for a procedure without an input. */
function inputSchema(definition: object): Json | undefined {
  const parsers = 'inputs' in definition && Array.isArray(definition.inputs) ? definition.inputs : [];
  if (parsers.length === 0) return undefined;
  const [parser, another] = parsers;
  if (!(parser instanceof z.ZodType) || another !== undefined)
    throw new TypeError('Each procedure has one input, which is a zod schema.');
  const { $schema: _, ...schema } = z.toJSONSchema(parser, { io: 'input', unrepresentable: 'any' });
  return schema;
}

function isRequired(schema: Json): boolean {
  return schema.type !== 'object' || (Array.isArray(schema.required) && schema.required.length > 0);
}

const formats = {
  arrow: { type: 'application/vnd.apache.arrow.stream', words: 'as an Arrow stream' },
  csv: { type: 'text/csv', words: 'as CSV' },
  parquet: { type: 'application/vnd.apache.parquet', words: 'as the Parquet file' },
} as const;

function tablePaths(): Json {
  const paths: Json = {
    '/api/arrow/metrics': {
      get: fileOperation('arrow.metrics', 'Training metrics of a run, as an Arrow stream', 'arrow', ['run']),
    },
  };
  for (const [name, stored] of Object.entries(storedTables))
    for (const format of Object.keys(formats) as (keyof typeof formats)[]) {
      const { required, optional } = parametersOf(stored);
      const chosen = format === 'parquet' ? [] : optional.filter((each) => isOf(stored, each));
      paths[`/api/${format}/${name}`] = {
        get: {
          ...fileOperation(
            `${format}.${name}`,
            `${stored.doc}, ${formats[format].words}`,
            format,
            required,
            chosen,
          ),
          description: columnsOf(stored.table),
        },
      };
    }
  return paths;
}

const isOf = ({ table }: StoredTable, parameter: string) => parameter === 'columns' || parameter in table;

const columnsOf = (table: Table) =>
  Object.entries(table)
    .map(([name, { type, doc }]) => `- \`${name}\` (${type}): ${doc}`)
    .join('\n');

const docs: Readonly<Record<string, { schema: Json; description: string }>> = {
  run: { schema: { type: 'string' }, description: 'name of a run' },
  seed: { schema: { type: 'integer', minimum: 0 }, description: 'one of its seeds' },
  comparison: { schema: { type: 'string' }, description: 'name of a comparison' },
  report: { schema: { type: 'string' }, description: 'name of a sparsity report' },
  columns: { schema: { type: 'string' }, description: 'columns wanted, separated by commas; by default all' },
  latent: { schema: { type: 'integer', minimum: 0 }, description: 'only the rows of this latent' },
  layer: { schema: { type: 'integer', minimum: 0 }, description: 'only the rows of this layer' },
  neuron: { schema: { type: 'integer', minimum: 0 }, description: 'only the rows of this neuron' },
};

function fileOperation(
  operationId: string,
  summary: string,
  format: keyof typeof formats,
  required: readonly string[],
  optional: readonly string[] = [],
): Json {
  const parameter = (name: string) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...docs[name],
  });
  return {
    operationId,
    tags: ['tables'],
    summary,
    parameters: [...required, ...optional].map(parameter),
    responses: {
      200: { description: 'The table.', content: { [formats[format].type]: {} } },
      default: { $ref: '#/components/responses/Error' },
    },
  };
}

const otherPaths = {
  '/api/health': {
    get: {
      operationId: 'health',
      tags: ['server'],
      summary: 'Whether the server is up, and its version',
      responses: {
        200: {
          description: 'It is.',
          ...json({
            type: 'object',
            required: ['status', 'version'],
            properties: { status: { const: 'ok' }, version: { type: 'string' } },
          }),
        },
      },
    },
  },
  '/api/metrics': {
    get: {
      operationId: 'metrics',
      tags: ['server'],
      summary: "The server's own figures, in Prometheus's text format",
      responses: {
        200: { description: 'The figures.', content: { 'text/plain': { schema: { type: 'string' } } } },
      },
    },
  },
  '/api/openapi.json': {
    get: {
      operationId: 'openapi',
      tags: ['server'],
      summary: 'This document',
      responses: { 200: { description: 'The document.', ...json({ type: 'object' }) } },
    },
  },
};
