/** A language model in memory: weights, configuration and tokenizer behind the LanguageModel interface. */
import { LazyscopeError } from '../errors.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor, Tensor2D, Tensor3D } from '../tensor/tf.ts';
import { activationParameters } from './activationFunctions/activationParameters.ts';
import { applyActivationFunction } from './activationFunctions/activationFunctions.ts';
import { runDecoder } from './decoder.ts';
import { decoderNames } from './families/families.ts';
import { inBlock } from './families/storedModules.ts';
import type { Weights } from './families/storedModules.ts';
import { hookPointsOf, parseHookPoint } from './hookPoints.ts';
import type { HookPoint } from './hookPoints.ts';
import { HookTap } from './hookTap.ts';
import { hookWidth } from './hookWidth.ts';
import { predictsNextToken } from './predictsNextToken.ts';
import { checkStretch } from './stretch.ts';
import type { KeyValueCache } from './keyValueCache.ts';
import type { ForwardOptions, ForwardResult, LanguageModel } from './languageModel.ts';
import { foldedUnembedding, neuronOutputs } from './linearPaths.ts';
import type { UnembeddedFrom } from './linearPaths.ts';
import type { ModelConfig } from './modelConfig.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';

export class DecoderModel implements LanguageModel {
  readonly name: string;
  readonly folder: string;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly hookPoints: readonly HookPoint[];
  #weights: Weights;
  #hooks: ReadonlySet<HookPoint>;

  /** The model owns the weights from here on. */
  constructor(
    identity: { name: string; folder: string },
    config: ModelConfig,
    weights: Weights,
    tokenizer: Tokenizer,
  ) {
    this.name = identity.name;
    this.folder = identity.folder;
    this.config = config;
    this.tokenizer = tokenizer;
    this.#weights = weights;
    this.hookPoints = hookPointsOf(config);
    this.#hooks = new Set(this.hookPoints);
  }

  width(hook: HookPoint): number {
    return hookWidth(this.config, hook);
  }

  forward(tokens: Tensor2D, options: ForwardOptions = {}, cache?: KeyValueCache): ForwardResult {
    for (const name of [...(options.read ?? []), ...Object.keys(options.replace ?? {})])
      this.#checkHook(name);
    this.#checkTokens(tokens, cache?.length ?? 0);
    const { config } = this;
    checkStretch(this, tokens, options, cache);
    const { from, until, tokenTypes } = options;
    this.#checkTokenTypes(tokens, tokenTypes);
    if (cache) predictsNextToken(this, "text can't go on from a cache");
    const tap = new HookTap(options);
    const [batch, seq] = tokens.shape;
    try {
      const rows = runDecoder(
        { config, weights: this.#weights, tap, cache, tokenTypes, from, until },
        tokens,
      );
      const result = rows && tf.tidy(() => rows.reshape<Tensor3D>([batch, seq, rows.shape[1]]));
      rows?.dispose();
      return {
        ...(until === undefined ? { logits: result } : { residual: result }),
        activations: tap.activations,
        entropySums: tap.entropySums,
      };
    } catch (error) {
      tap.dispose();
      throw error;
    }
  }

  foldedUnembedding(from: UnembeddedFrom = 'residual'): Tensor2D {
    predictsNextToken(this, 'no direction moves its logits linearly');
    return foldedUnembedding(this.config, this.#weights, from);
  }

  activate(layer: number, pre: Tensor): Tensor {
    const { activation } = this.config;
    const names = decoderNames(this.config);
    const mlp = inBlock(names, layer, names.mlp);
    return applyActivationFunction(activation, pre, activationParameters(this.#weights, mlp, activation));
  }

  neuronOutputs(layer: number): Tensor2D {
    if (!Number.isInteger(layer) || layer < 0 || layer >= this.config.layers)
      throw new LazyscopeError(
        'bad_input',
        `Layer ${layer} does not exist: the model has layers 0 to ${this.config.layers - 1}.`,
      );
    return neuronOutputs(this.config, this.#weights, layer);
  }

  parameterCount(): number {
    let count = 0;
    for (const weight of this.#weights.values()) count += weight.size;
    return count;
  }

  nonFiniteWeight(): string | undefined {
    for (const [name, weight] of this.#weights) {
      const [finite] = tf.tidy(() => tf.all(tf.isFinite(weight)).dataSync());
      if (finite !== 1) return name;
    }
    return undefined;
  }

  dispose(): void {
    for (const weight of this.#weights.values()) weight.dispose();
  }

  #checkHook(given: string): void {
    const { name } = parseHookPoint(given, this.config.layers);
    if (!this.#hooks.has(name))
      throw new LazyscopeError(
        'bad_input',
        `'${this.name}' has no hook point '${name}': it has ${this.hookPoints.slice(0, 12).join(', ')} and so on.`,
      );
  }

  #checkTokenTypes(tokens: Tensor2D, types: Tensor2D | undefined): void {
    if (!types) return;
    const { encoder } = this.config;
    const rows = encoder?.tokenTypes ?? 0;
    if (types.shape.join() !== tokens.shape.join() || types.dataSync().some((t) => !(t >= 0 && t < rows)))
      throw new LazyscopeError(
        'bad_input',
        encoder
          ? `Token types must be integers from 0 to ${rows - 1} of shape [${tokens.shape.join(', ')}].`
          : `'${this.name}' has no token types: leave them out.`,
      );
  }

  #checkTokens(tokens: Tensor2D, before: number): void {
    const { contextLength, vocabularySize } = this.config;
    const [batch, seq] = tokens.shape;
    if (batch < 1 || seq < 1)
      throw new LazyscopeError(
        'bad_input',
        `The tokens have shape [${batch}, ${seq}]: there is nothing to run.`,
      );
    if (before + seq > contextLength)
      throw new LazyscopeError(
        'bad_input',
        `The text has ${before + seq} tokens, but '${this.name}' has a context of ${contextLength}: shorten it.`,
      );
    for (const id of tokens.dataSync())
      if (!(id >= 0 && id < vocabularySize && Number.isInteger(id)))
        throw new LazyscopeError(
          'bad_input',
          `Token ${id} is outside the vocabulary of '${this.name}' (0 to ${vocabularySize - 1}).`,
        );
  }
}
