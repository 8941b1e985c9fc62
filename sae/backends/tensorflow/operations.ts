/** TensorFlow's operations that TF.js has no kernel for, by TensorFlow's names. Results belong to the surrounding tidy. */
import {
  tf,
  type Scalar,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Variable,
} from '../../tensor/tf.ts';
import type { Binding, MadeTensor, NodeBackend, OpAttribute } from './nodeKernels.ts';

/** The step of Adam, with what depends on the step's number computed in double precision by the caller. */
export interface AdamStep {
  /** η √(1 − β₂ᵗ) / (1 − β₁ᵗ) */
  rate: number;
  beta1: number;
  beta2: number;
  /** ε √(1 − β₂ᵗ): TensorFlow adds ε to √v before the bias is corrected, PyTorch after it. */
  epsilon: number;
}

/** A sparse matrix [rows, columns] by its entries. */
export interface SparseMatrix {
  rows: number;
  columns: number;
  /** int32 [entries] */
  row: Tensor1D;
  column: Tensor1D;
  values: Tensor1D;
}

/**
 * TensorFlow keeps every kernel that it makes, by its operation and attributes, for as long as the process lives. So no attribute here depends
 * on values or on the number of the step: what does is passed as a tensor.
 */
export class Operations {
  readonly #backend: NodeBackend;
  readonly #binding: Binding;

  constructor(backend: NodeBackend) {
    this.#backend = backend;
    this.#binding = backend.binding;
  }

  /** The k largest of each row of the last axis, of equal ones the first: values, and int32 indices; from the largest on if `sorted`, otherwise in no order. */
  topK(x: Tensor, k: number, sorted: boolean): [values: Tensor, indices: Tensor] {
    const [values, indices] = this.#run(
      'TopKV2',
      [this.#flag('sorted', sorted), this.#type('T', x)],
      [x, int(k)],
      2,
    );
    return [values, indices];
  }

  /** `positive` where `condition` holds and `negative` elsewhere; scalars stand for whole tensors without becoming them. */
  select<T extends Tensor>(condition: Tensor, positive: Tensor, negative: Tensor): T {
    return this.#one('SelectV2', [this.#type('T', positive)], [condition, positive, negative]) as T;
  }

  /** int32 [n, rank]: where a boolean tensor is true, in the order of memory. */
  where(condition: Tensor): Tensor2D {
    const { binding } = this.#backend;
    const [id] = this.#backend.getInputTensorIds([condition]);
    const [places] = binding.executeOp('Where', [this.#type('T', condition)], [id], 1);
    try {
      const attributes = [
        { name: 'SrcT', type: binding.TF_ATTR_TYPE, value: binding.TF_INT64 },
        { name: 'DstT', type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 },
        this.#flag('Truncate', false),
      ];
      return this.#output(binding.executeOp('Cast', attributes, [places.id], 1)) as Tensor2D;
    } finally {
      binding.deleteTensor(places.id);
    }
  }

  /** For each row of x [rows, n] its elements at `indices` [rows, k]. */
  gatherInRows<T extends Tensor>(x: Tensor2D, indices: Tensor): T {
    const attributes = [
      this.#type('Tparams', x),
      this.#type('Tindices', indices),
      { name: 'Taxis', type: this.#binding.TF_ATTR_TYPE, value: this.#binding.TF_INT32 },
      { name: 'batch_dims', type: this.#binding.TF_ATTR_INT, value: 1 },
    ];
    return this.#one('GatherV2', attributes, [x, indices, int(1)]) as T;
  }

  /** int32 [n]: of how many of the ascending `bounds` [m] each of `values` [n] is at least as large. */
  countBelow(bounds: Tensor1D, values: Tensor1D): Tensor1D {
    const attributes = [
      this.#type('T', bounds),
      { name: 'out_type', type: this.#binding.TF_ATTR_TYPE, value: this.#binding.TF_INT32 },
    ];
    const inRow = (t: Tensor1D) => t.reshape([1, t.shape[0]]);
    return this.#one('UpperBound', attributes, [inRow(bounds), inRow(values)]).reshape([values.shape[0]]);
  }

  /** S·B, or Sᵀ·B, for a dense B. */
  sparseProduct(
    { rows, columns, row, column, values }: SparseMatrix,
    dense: Tensor2D,
    transposed: boolean,
  ): Tensor2D {
    const binding = this.#binding;
    const places = tf.stack([row, column], 1);
    // Two 64-bit integers, low halves first.
    const shape = binding.createTensor([2], binding.TF_INT64, Int32Array.of(rows, 0, columns, 0));
    try {
      const attributes = [
        this.#type('T', values),
        this.#type('Tindices', places),
        this.#flag('adjoint_a', transposed),
        this.#flag('adjoint_b', false),
      ];
      const [placesId, valuesId, denseId] = this.#backend.getInputTensorIds([places, values, dense]);
      const inputs = [placesId, valuesId, shape, denseId];
      return this.#output(binding.executeOp('SparseTensorDenseMatMul', attributes, inputs, 1)) as Tensor2D;
    } finally {
      binding.deleteTensor(shape);
      places.dispose();
    }
  }

  /** [segments, …]: the sums of those elements of `values` [n, …] that have each number in `segment` [n]. */
  segmentSum<T extends Tensor>(values: Tensor, segment: Tensor1D, segments: number): T {
    return tf.unsortedSegmentSum(values, segment, segments) as T;
  }

  /** Σ x² */
  sumOfSquares(x: Tensor): Scalar {
    return this.#one('L2Loss', [this.#type('T', x)], [x]).mul(2);
  }

  /** ‖x_i‖ of each row, [rows, 1]. */
  rowNorms(x: Tensor2D): Tensor2D {
    const axis = tf.tensor1d([1], 'int32');
    const attributes = [this.#flag('keep_dims', true), this.#type('T', x), this.#type('Tidx', axis)];
    return this.#one('EuclideanNorm', attributes, [x, axis]) as Tensor2D;
  }

  /**
   * m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², p ← p − rate · m / (√v + ε), in place. The memory of the three is lent to variables of TensorFlow for the time
   * of the step. TensorFlow copies a tensor first that something else refers to as well, so that no other tensor changes.
   */
  adam(parameter: Variable, first: Variable, second: Variable, gradient: Tensor, step: AdamStep): void {
    const binding = this.#binding;
    const lent = [parameter, first, second].map((variable, place) => this.#lend(variable, place));
    // The powers of β are in `rate` and `epsilon` already, in double precision.
    const numbers = [0, 0, step.rate, step.beta1, step.beta2, step.epsilon].map((value) => tf.scalar(value));
    const inputs = this.#backend.getInputTensorIds([...numbers, gradient]);
    const attributes = [
      this.#type('T', gradient),
      this.#flag('use_locking', false),
      this.#flag('use_nesterov', false),
    ];
    binding.executeOp(
      'ResourceApplyAdam',
      attributes,
      [...lent.map(({ resource }) => resource), ...inputs],
      0,
    );
    for (const { takeBack } of lent) takeBack();
    tf.dispose(numbers);
  }

  /** A variable of TensorFlow that holds the values of `variable` alone, unless other tensors share them. */
  #lend(variable: Variable, place: number): { resource: number; takeBack: () => void } {
    const binding = this.#binding;
    const { tensorMap } = this.#backend;
    const type = { name: 'dtype', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT };
    const text = (name: string, value: string) => ({ name, type: binding.TF_ATTR_STRING, value });
    const [{ id: resource }] = binding.executeOp(
      'VarHandleOp',
      [
        type,
        { name: 'shape', type: binding.TF_ATTR_SHAPE, value: variable.shape },
        text('container', ''),
        text('shared_name', `lazyscope/${place}`),
      ],
      [],
      1,
    );
    const [id] = this.#backend.getInputTensorIds([variable]);
    binding.executeOp('AssignVariableOp', [type], [resource, id], 0);
    const data = tensorMap.get(variable.dataId);
    if (data.refCount === 1) {
      binding.deleteTensor(id);
      data.id = -1;
    }
    const takeBack = () => {
      const changed = this.#output(binding.executeOp('ReadVariableOp', [type], [resource], 1));
      variable.assign(changed);
      changed.dispose();
      binding.executeOp('DestroyResourceOp', [this.#flag('ignore_lookup_error', false)], [resource], 0);
      binding.deleteTensor(resource);
    };
    return { resource, takeBack };
  }

  #run(
    name: string,
    attributes: readonly OpAttribute[],
    inputs: readonly Tensor[],
    outputs: number,
  ): Tensor[] {
    const ids = this.#backend.getInputTensorIds(inputs);
    return this.#binding
      .executeOp(name, attributes, ids, outputs)
      .map((made) => this.#backend.createOutputTensor(made));
  }

  #one(name: string, attributes: readonly OpAttribute[], inputs: readonly Tensor[]): Tensor {
    return this.#run(name, attributes, inputs, 1)[0];
  }

  #output([made]: readonly MadeTensor[]): Tensor {
    return this.#backend.createOutputTensor(made);
  }

  #type(name: string, { dtype }: Tensor): OpAttribute {
    const binding = this.#binding;
    const types = { float32: binding.TF_FLOAT, int32: binding.TF_INT32, bool: binding.TF_BOOL };
    return { name, type: binding.TF_ATTR_TYPE, value: types[dtype as keyof typeof types] };
  }

  #flag(name: string, value: boolean): OpAttribute {
    return { name, type: this.#binding.TF_ATTR_BOOL, value };
  }
}

const int = (value: number) => tf.scalar(value, 'int32');
