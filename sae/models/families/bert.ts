/**
 * BERT (Devlin et al., 1810.04805) and what is built alike, such as MiniLM and most sentence-transformers folders: an encoder that
 * norms after every sum, with learned positions and token types. The pooler and the head for the next sentence are not read.
 */
import { z } from 'zod';
import { knownActivation, positive, size, sizeFields, sizesOf } from './commonFields.ts';
import { describeDecoder, layerNormed } from './describeDecoder.ts';
import { family } from './family.ts';

export const bert = family({
  architectures: ['BertForMaskedLM', 'BertModel', 'BertForPreTraining'],
  models: 'BERT, MiniLM, encoders of sentence-transformers',
  fields: z.looseObject({
    ...sizeFields,
    architectures: z.array(z.string()).nullish(),
    max_position_embeddings: size.default(512),
    type_vocab_size: size.default(2),
    hidden_act: z.string().default('gelu'),
    layer_norm_eps: positive.default(1e-12),
    position_embedding_type: z.string().nullish(),
    is_decoder: z.boolean().default(false),
    tie_word_embeddings: z.boolean().default(true),
    /** Of the pooler, which is not read. */
    directionality: z.unknown().optional(),
    pooler_fc_size: z.unknown().optional(),
    pooler_num_attention_heads: z.unknown().optional(),
    pooler_num_fc_layers: z.unknown().optional(),
    pooler_size_per_head: z.unknown().optional(),
    pooler_type: z.unknown().optional(),
  }),
  describe(hf, refuse) {
    if ((hf.position_embedding_type ?? 'absolute') !== 'absolute')
      throw refuse(`has positions of type '${hf.position_embedding_type}', which can't be read`);
    if (hf.is_decoder) throw refuse('has is_decoder true, but only encoders of this family can be read');
    if (!hf.tie_word_embeddings)
      throw refuse("has tie_word_embeddings false, which can't be read in this family");
    const sizes = {
      ...sizesOf(hf),
      contextLength: hf.max_position_embeddings,
      activation: knownActivation(hf.hidden_act, refuse),
      gated: false,
      normEpsilon: hf.layer_norm_eps,
      tiedEmbeddings: true,
    };
    const head = hf.architectures?.[0] !== 'BertModel';
    return describeDecoder('bert', sizes, {
      norm: layerNormed,
      normPlacement: 'after',
      finalNorm: false,
      learnedPositions: { offset: 0 },
      encoder: { tokenTypes: hf.type_vocab_size, head },
      embedding: { norm: true },
      biases: { queryKeyValue: true, attentionOutput: true, mlpIn: true, mlpOut: true, unembedding: head },
    });
  },
  names: ({ encoder }) => ({
    prefix: 'bert.',
    // The bias of the decoder is the head's own; position_ids are 0, 1, 2 and so on.
    buffers: encoder?.head
      ? /(^|\.)(position_ids|pooler\..*|seq_relationship\..*|decoder\.bias)$/
      : /(^|\.)(position_ids|pooler\..*|cls\..*)$/,
    embedding: 'bert.embeddings.word_embeddings',
    positions: 'bert.embeddings.position_embeddings',
    tokenTypes: 'bert.embeddings.token_type_embeddings',
    embeddingNorm: 'bert.embeddings.LayerNorm',
    finalNorm: '',
    head: { dense: 'cls.predictions.transform.dense', norm: 'cls.predictions.transform.LayerNorm' },
    unembedding: 'cls.predictions',
    tiedCopy: 'cls.predictions.decoder',
    renamed: { 'LayerNorm.gamma': 'LayerNorm.weight', 'LayerNorm.beta': 'LayerNorm.bias' },
    block: 'bert.encoder.layer.{layer}',
    attentionNorm: 'attention.output.LayerNorm',
    queryKeyValue: {
      query: 'attention.self.query',
      key: 'attention.self.key',
      value: 'attention.self.value',
    },
    attentionOutput: 'attention.output.dense',
    mlpNorm: 'output.LayerNorm',
    mlp: 'intermediate',
    mlpIn: { gate: 'intermediate.dense' },
    mlpOut: 'output.dense',
    stored: 'outIn',
  }),
});
