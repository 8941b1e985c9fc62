// The native library's interface: every function that it exports, and the structs that they take, declared once.
//
// Each source that defines one of them includes this file, so that the C++ compiler checks the definition against the
// declaration; a function that is exported and not declared here does not compile (-Wmissing-declarations). The other
// side reads this very file: `header.ts` parses it, koffi lays out structs and calls by it, and the TypeScript types in
// `nativeFunctions.ts` are generated from it. Hence the form that it keeps to, which the parser insists on: one
// parameter or member has one type and one name; types are int32_t, int64_t, float, double, structs declared above, and
// pointers to these, to uint8_t or to void.
//
// A pointer to const is read, any other is written (and perhaps read). NULLABLE before the name says that it may be
// null. A pointer to void is to elements whose type another argument says. Matrices are dense, rows one after another;
// a comment gives shapes as [rows, columns]. More than eight arguments are a struct, whose members are passed by name.
#pragma once

#include <cstdint>

#define NULLABLE

extern "C" {

// ---- The library itself: pool.cc, gemm.cc, screening.cc ----

void lazyscope_set_threads(int32_t count);
int32_t lazyscope_threads();
// How many floats a vector register holds.
int32_t lazyscope_vector_width();
// 1 if this CPU has the instructions that screening needs (screening.h).
int32_t lazyscope_can_screen();

// ---- Products: gemm.cc ----

struct LazyscopeGemm {
  const float* a;                // [batch, m, k], or transposed [batch, k, m]
  const float* b;                // [batch, k, n], or transposed [batch, n, k]
  float* c;                      // [batch, m, n]
  const float* NULLABLE bias;    // [n]
  int64_t batch;
  int64_t a_stride;              // elements from one matrix to the next; 0 repeats the same
  int64_t b_stride;
  int64_t m;
  int64_t n;
  int64_t k;
  int32_t transpose_a;
  int32_t transpose_b;
  float alpha;
  float beta;
  int32_t relu;
};
// For each of `batch` matrices: c = alpha · op(a) op(b) + beta · c + bias, then ReLU if asked.
void lazyscope_gemm(const LazyscopeGemm* gemm);

// ---- Weights in the format of their file: storedWeights.cc, where `format` is numbered ----

struct LazyscopeStoredProduct {
  int32_t format;
  const float* a;
  const uint8_t* b;
  float* c;
  const float* NULLABLE bias;    // [n]
  int64_t m;
  int64_t n;
  int64_t k;
  int32_t relu;
};
// c [m, n] = a [m, k] · bᵀ + bias, then ReLU if asked, where b is stored [n, k]: to the bit what lazyscope_gemm makes of the
// widened matrix.
void lazyscope_stored_product(const LazyscopeStoredProduct* product);
// out[i, :] = x[index[i], :] of a stored [rows, width]. Returns as lazyscope_gather.
int64_t lazyscope_stored_gather(int32_t format, const uint8_t* x, const int32_t* index, float* out, int64_t rows, int64_t count, int64_t width);
// out [rows, width] of a stored matrix; rows are whole blocks.
void lazyscope_widen(int32_t format, const uint8_t* x, int64_t rows, int64_t width, float* out);

// ---- Elementwise: elementwise.cc, activationFunctions.cc; `op` and `activation` are numbered there ----

void lazyscope_unary(int32_t op, const float* x, float* y, int64_t count, float parameter);
// `shape` holds dims, strides of a, strides of b: rank numbers each. type: 0 float32, 1 int32, 2 bool.
void lazyscope_binary(int32_t op, int32_t type, const void* a, const void* b, void* out, int32_t rank, const int32_t* shape);
// out += a.
void lazyscope_accumulate(const float* a, float* out, int64_t count);
// out[i] = condition[i] ? yes[i] : no[i], for 4-byte elements.
void lazyscope_select(const uint8_t* condition, const void* yes, const void* no, void* out, int64_t count);
// from, to: 0 float32, 1 int32, 2 bool. float32 → int32 is JavaScript's ToInt32.
void lazyscope_cast(int32_t from, int32_t to, const void* x, void* y, int64_t count);
void lazyscope_activation(int32_t activation, const float* x, float* y, int64_t count);
// dx = dy · act'(x)
void lazyscope_activation_grad(int32_t activation, const float* x, const float* dy, float* dx, int64_t count);

// ---- Moving elements: copy.cc ----

// to[to_offset + Σ i·to_stride] = from[from_offset + Σ i·from_stride] over a box; `shape` holds sizes, strides
// of from, strides of to: rank (at most 12) numbers each. bytes: of an element, 4 or 1.
void lazyscope_copy(int32_t bytes, const void* from, int64_t from_offset, void* to, int64_t to_offset, int32_t rank, const int32_t* shape);
// Fills `count` 4-byte elements with the bits of `value`.
void lazyscope_fill(void* to, int64_t count, float value);
// out[o, i, :] = x[o, index[i], :], 4-byte elements. Returns the position of the first index outside [0, n),
// and then copies nothing; −1 when all are inside.
int64_t lazyscope_gather(const void* x, const int32_t* index, void* out, int64_t outer, int64_t n, int64_t count, int64_t inner);

// ---- Reductions of x [outer, n, inner] along the middle axis: reduce.cc ----

// op: 0 sum, 1 product, 2 max, 3 min. out [outer, inner].
void lazyscope_reduce(int32_t op, const float* x, float* out, int64_t outer, int64_t n, int64_t inner);
// The same of integers; sums and products wrap around.
void lazyscope_reduce_int(int32_t op, const int32_t* x, int32_t* out, int64_t outer, int64_t n, int64_t inner);
// y = softmax(x) over rows of n.
void lazyscope_softmax(const float* x, float* y, int64_t rows, int64_t n);
// The first index of the largest (or smallest) element; comparisons with NaN are false, as in TF.js. out [outer, inner].
void lazyscope_arg_extreme(const float* x, int32_t* out, int64_t outer, int64_t n, int64_t inner, int32_t smallest);
// Running sums along the middle axis; `exclusive` leaves the element itself out. y [outer, n, inner].
void lazyscope_cumsum(const float* x, float* y, int64_t outer, int64_t n, int64_t inner, int32_t exclusive, int32_t reverse);
// out[segment] += x[row] for each row's segment; rows of a negative segment are left out.
void lazyscope_segment_sum(const float* x, const int32_t* segment, float* out, int64_t rows, int64_t segments, int64_t inner);

// ---- Language models: norms.cc, attention.cc, optimiser.cc ----

// y = x / sqrt(mean x² + ε) · gain; x, y [rows, d], gain [d].
void lazyscope_rms_norm(const float* x, const float* gain, float* y, int64_t rows, int64_t d, float epsilon);
// dx [rows, d]; dgain [d].
void lazyscope_rms_norm_grad(const float* x, const float* gain, const float* dy, float* dx, float* dgain, int64_t rows, int64_t d, float epsilon);
// y = (x − mean) / sqrt(variance + ε) · gain + bias
void lazyscope_layer_norm(const float* x, const float* gain, const float* bias, float* y, int64_t rows, int64_t d, float epsilon);
// sums: dgain then dbias, 2 d floats.
void lazyscope_layer_norm_grad(const float* x, const float* gain, const float* dy, float* dx, float* sums, int64_t rows, int64_t d, float epsilon);
// loss = log Σ e^logits − logits[label]; logits [rows, n]. Returns the first row whose label is outside [0, n), or −1.
int64_t lazyscope_cross_entropy(const float* logits, const int32_t* labels, float* loss, int64_t rows, int64_t n);
// dlogits = (softmax(logits) − onehot(label)) · dy
void lazyscope_cross_entropy_grad(const float* logits, const int32_t* labels, const float* dy, float* dlogits, int64_t rows, int64_t n);

struct LazyscopeAttention {
  const float* q;                // [batch, heads, seq, head]
  const float* k;                // [batch, kv_heads, keys, head]
  const float* v;                // [batch, kv_heads, keys, head]
  int64_t batch;
  int64_t heads;
  int64_t kv_heads;
  int64_t seq;
  int64_t keys;
  int64_t head;
  float scale;
};
// Causal attention. y is like q; entropies [batch, heads] are sums over the queries, in nats.
void lazyscope_attention(const LazyscopeAttention* attention, float* y, float* NULLABLE entropies);
void lazyscope_attention_grad(const LazyscopeAttention* attention, const float* y, const float* dy, float* dq, float* dk, float* dv);
// Rotates (x[i], x[i + head/2]) by the angle of position and i; by minus the angle if `inverse`.
// x: [rows, seq, head]; cosine and sine: [seq, head/2].
void lazyscope_rotary(const float* x, const float* cosine, const float* sine, float* y, int64_t rows, int64_t seq, int64_t head, int32_t inverse);

struct LazyscopeAdamW {
  float rate;
  float beta1;
  float beta2;
  float epsilon;
  float decay;
  float correction1;             // 1 − β1^step
  float correction2;             // 1 − β2^step
  float gradient_scale;
};
// One step of AdamW (Loshchilov & Hutter, 1711.05101) on `count` parameters p with moments m and v.
void lazyscope_adamw(float* p, const float* gradient, float* m, float* v, int64_t count, const LazyscopeAdamW* settings);
// In double precision, in pieces of fixed size.
double lazyscope_sum_of_squares(const float* x, int64_t count);

// ---- Sparsity measures: firing.cc, signal.cc, truncation.cc, masking.cc ----

// How many neurons make a chunk, of those that `lazyscope_firing` counts together.
int64_t lazyscope_firing_chunk();
struct LazyscopeFiring {
  const float* a;                // [rows, neurons]
  const float* gates;            // [rows, neurons]
  const float* bar;              // [neurons]
  int64_t rows;
  int64_t neurons;
  const float* thresholds;       // [levels], at most 16
  int32_t levels;
  int32_t neuron_level;
  int32_t* fired;                // [neurons]
  int32_t* fired_at;             // [neurons]
  float* sum;                    // [neurons]
  int32_t* level_counts;         // [levels + 1]
  int32_t* row_fired;            // [rows]
  int32_t* over;                 // [rows · neurons]; the entries of chunk c begin at c · chunk · rows
  int32_t* over_counts;          // [ceil(neurons / chunk)]
};
void lazyscope_firing(const LazyscopeFiring* counts);
// x [rows, d] → sums [2]: Σ over rows of (mean over d)², and of the variance over d. In double precision, the
// variance about the mean, so that a large offset does not drown it.
void lazyscope_signal(const float* x, int64_t rows, int64_t d, float* sums);
// Each token's neurons are added up in the order given: lost[t, j] is the norm of Σ a[t, i] · row i of w over the first
// j + 1 of them. a [tokens, neurons], w [neurons, d], order [tokens, neurons] → lost [tokens, neurons]. In double precision.
void lazyscope_truncation(const float* a, const float* w, const int32_t* order, int64_t tokens, int64_t neurons,
                          int64_t d, float* lost);

struct LazyscopeMasking {
  const float* a;                // [rows, neurons]
  const float* NULLABLE key;     // [rows, neurons]: what rules 0 and 2 compare; null: |a| for rule 0, a for rule 2
  const float* NULLABLE bars;    // [neurons], of rule 0
  int64_t rows;
  int64_t neurons;
  int32_t rule;
  int64_t k;                     // of rule 1
  double quantile;               // of rules 2 and 3: θ = mean + std · quantile of the row's keys, in double precision
  float* out;                    // [rows, neurons]
  int32_t* counts;               // [2]: entries of out that are 0, and entries of a that are 0 or NaN
};
// Rule 0 sets to 0 where key <= the neuron's bar, 1 all but the k largest magnitudes of a row (of equal ones the first stay),
// 2 where key <= θ of the row. Rule 3 gives max(a − θ, 0).
void lazyscope_mask(const LazyscopeMasking* masking);

// ---- Autoencoders: fusedEncode.cc, fusedReconstruct.cc, fusedEntries.cc, fusedUpdate.cc ----
// Lists of entries are by rows: those of a row are indices and values from row_start[row] to row_start[row + 1].

struct LazyscopeEncoder {
  const float* x;                // [rows, d]
  const float* NULLABLE centre;  // [d], subtracted from x
  const float* w;                // [latents, d]
  const float* b;                // [latents]
  int64_t rows;
  int64_t d;
  int64_t latents;
};
// The k largest positive pre-activations of each row, by ascending latent, filled up with zeros: indices and
// values [rows, k]. `among` (ascending, `among_count` of them) restricts the choice; null means all latents.
// `screening` is one of Screening; the result is the same.
void lazyscope_topk_encode(const LazyscopeEncoder* encoder, const int32_t* NULLABLE among, int64_t among_count, int64_t k, int32_t screening, int32_t* indices, float* values);
// The same in two halves, for processes that each have a share of the latents. The first finds candidates, and in bars [rows] what at least `part` latents
// of a row are sure to reach, 0 where fewer are sure to be positive. Returns 1, or 0 where screening isn't worth its cost: bars are then left alone, and
// there is no second half.
int32_t lazyscope_topk_screen(const LazyscopeEncoder* encoder, const int32_t* NULLABLE among, int64_t among_count, int64_t k, int64_t part, int32_t screening, float* bars);
// The k largest of the call before that reach the bars [rows]; those of the others that are largest may be among them, or zeros in their place. The
// encoder's memory and `among` must be as they were.
void lazyscope_topk_settle(const int32_t* NULLABLE among, const float* bars, int32_t* indices, float* values);
// Finds every latent with z > θ − ε/2 (null: θ = 0; ε is the bandwidth); the value of one with z <= θ is θ. Returns how
// many there are in all, kept until lazyscope_threshold_take fetches them; −1 when there are more than `limit` (the list
// is then given up). About `expected` of a row are; `screening` is one of Screening.
int64_t lazyscope_threshold_encode(const LazyscopeEncoder* encoder, const float* NULLABLE threshold, float bandwidth, int64_t limit, int64_t expected, int32_t screening);
// The entries found by the call before, row by row: row_start [rows + 1], indices and values [entries].
void lazyscope_threshold_take(int64_t rows, int32_t* row_start, int32_t* indices, float* values);
// Of the entries found by that call the `count` largest, and of equal ones those of lower rows, in a row of lower latents: as
// above, of as many entries as were found if there are fewer than `count`. A value that is not finite counts as the largest and
// becomes NaN. Returns the least that is taken, or 0.
double lazyscope_largest_take(int64_t rows, int64_t count, int32_t* row_start, int32_t* indices, float* values);
// On how many of the rows' (row, latent) pairs z > θ − ε/2: what the choice between list and matrix rests on.
int64_t lazyscope_threshold_count(const LazyscopeEncoder* encoder, const float* NULLABLE threshold, float bandwidth);
// z [rows, latents], every one.
void lazyscope_dense_encode(const LazyscopeEncoder* encoder, float* z);

// out [rows, d] = S·W
void lazyscope_sparse_decode(const int32_t* row_start, const int32_t* indices, const float* values, const float* w, int64_t rows, int64_t d, float* out);
// out [entries] = (g·Wᵀ) at the entries
void lazyscope_sparse_dots(const int32_t* row_start, const int32_t* indices, const float* g, const float* w, int64_t rows, int64_t d, int64_t latents, float* out);
// out [latents, d] = Sᵀ·g
void lazyscope_sparse_outer(const int32_t* row_start, const int32_t* indices, const float* values, const float* g, int64_t rows, int64_t d, int64_t latents, float* out);
// Rows on which each latent fires, and the sum of its activations [latents].
void lazyscope_sparse_firings(const int32_t* indices, const float* values, const float* NULLABLE threshold, int64_t entries, int64_t latents, int32_t* counts, float* sums);
void lazyscope_dense_firings(const float* z, const float* NULLABLE threshold, int64_t rows, int64_t latents, int32_t* counts, float* sums);
// Multiplies x [rows, d] by `scale` in place and returns Σ_b ‖x_b − x̄‖², x̄ the mean of the scaled rows.
double lazyscope_scaled_batch(float* x, int64_t rows, int64_t d, float scale);

struct LazyscopeReconstruction {
  const float* values;           // [entries], or pre-activations [rows, latents]
  const float* NULLABLE threshold;  // [latents]; 0 where null
  const float* w;                // [latents, d]
  const float* NULLABLE bias;    // [d]
  const float* target;           // [rows, d]
  int64_t rows;
  int64_t d;
  int64_t latents;
  float* error;                  // [rows, d] = f·W + bias − target
  float* dots;                   // error·Wᵀ, like values
};
// Returns Σ error².
double lazyscope_sparse_reconstruct(const int32_t* row_start, const int32_t* indices, const LazyscopeReconstruction* reconstruction);
// The same from a matrix of pre-activations.
double lazyscope_dense_reconstruct(const LazyscopeReconstruction* reconstruction);

// Nested reconstructions from the latents below each of `prefixes` (ascending, the last is `latents`): `error` is
// [prefixes, rows, d], and in its block p are the sums of the errors of the reconstructions p and later; `dots` are with the
// block of the first prefix that has the latent. Returns the sum over all of Σ error².
double lazyscope_nested_reconstruct(const int32_t* row_start, const int32_t* indices, const int32_t* prefixes, int32_t prefix_count, const LazyscopeReconstruction* reconstruction);

struct LazyscopeDictionary {
  float* w_enc;                  // [latents, d]
  float* b_enc;                  // [latents]
  float* w_dec;                  // [latents, outputs]
  float* b_dec;                  // [outputs]
  float* NULLABLE log_threshold;  // [latents]
  float* NULLABLE r_mag;         // [latents]
  float* NULLABLE b_mag;         // [latents]
};
// What a gated dictionary's update has besides: `values` are the gate's pre-activations and `dots` those of the
// reconstruction from them, both like the main term's, whose values are magnitudes where the gate is open and 0 elsewhere.
struct LazyscopeGate {
  const float* values;
  const float* dots;
  const float* gain;             // [latents]: exp(r_mag)
  double scale;                  // of the gradient of the gate's reconstruction
  double l1;                     // added where the gate is open
};
struct LazyscopeUpdate {
  int64_t latents;
  int64_t d;
  int64_t outputs;               // width of the errors: d, but for transcoders between two widths
  int64_t rows;
  int32_t write_gradient;        // the gradient goes to `first`, and nothing else changes
  double scale;                  // of the gradient of the main term
  double aux_scale;              // of that of the auxiliary one
  double l1;
  double bandwidth;              // 0: no thresholds
  double l0_gradient;
  double rate;                   // learning rate / (1 − β1^step)
  double beta1;
  double beta2;
  double epsilon;
  double root;                   // 1 / √(1 − β2^step)
  double clip;                   // the gradient's largest norm; 0: any
  int32_t subtracts_decoder_bias;  // the encoder saw x − b_dec
  int32_t unit_norm;             // decoder rows have size 1
  LazyscopeDictionary parameters;
  LazyscopeDictionary first;     // moments
  const LazyscopeDictionary* NULLABLE second;  // null only with write_gradient
  const float* x;                // [rows, d]
  const float* NULLABLE threshold;  // [latents]
  const LazyscopeGate* NULLABLE gate;
  const int32_t* NULLABLE prefixes;  // of nested reconstructions: the main term's error is [prefix_count, rows, d]
  int32_t prefix_count;
  const int32_t* NULLABLE blocks;  // ends of the blocks of the outputs, ascending: a decoder row's size is the sum of its blocks' norms; null: one block
  int32_t block_count;
};
// A reconstruction from a list of entries: values and dots are [entries].
struct LazyscopeTerm {
  const int32_t* row_start;
  const int32_t* indices;
  const float* values;
  const float* dots;
  const float* error;            // [rows, outputs]
};
void lazyscope_sparse_update(const LazyscopeUpdate* update, const LazyscopeTerm* main, const LazyscopeTerm* NULLABLE auxiliary);
// The same from matrices z and dots [rows, latents], which are overwritten with f and ∂z.
void lazyscope_dense_update(const LazyscopeUpdate* update, float* z, float* dots, const float* error);

// ---- Dictionaries spread over processes: ownOfLargest.cc ----

struct LazyscopeCandidates {
  const int32_t* row_start;      // [rows + 1], of this process's list
  const int32_t* indices;        // of its entries, at most `each` a row
  const float* all;              // [ranks, rows, each]: the values of every process's, by rank, filled up with 0
  int64_t rows;
  int64_t each;
  int64_t ranks;
  int64_t rank;
  int64_t k;
};
// Of this process's candidates those among the k largest of all processes that are positive, as a list of at most as many entries;
// of equal ones those of lower ranks, within one those listed first. What is not finite counts as the largest. Returns how many they are, or −1
// where some process may have more of the k largest than it has sent.
int64_t lazyscope_own_of_largest(const LazyscopeCandidates* candidates, int32_t* row_start, int32_t* indices, float* values);

// ---- Comparing dictionaries: topPairs.cc ----

struct LazyscopePairList {
  int32_t length;                // pairs kept for each row (or column)
  int32_t* index;                // [rows, length]
  float* score;                  // [rows, length]
  float* bar;                    // [rows]: the score that a pair must exceed
};
struct LazyscopeTopPairs {
  const float* a;                // [rows, d]: rows first … first + rows − 1 of a whole matrix
  int64_t first;
  int64_t rows;
  const float* b;                // [columns, d]
  int64_t columns;
  int64_t d;
  const float* row_offset;       // of the whole matrix
  const float* column_offset;    // at least `columns` rounded up to a multiple of 32
  float* best;                   // of the whole matrix
  LazyscopePairList by_row;      // of the whole matrix
  LazyscopePairList by_column;   // bar: at least `columns` rounded up to a multiple of 32
  int32_t screening;             // one of Screening
};
// Lists go on from where earlier calls left them. Returns the share of pairs that screening left possible for their
// rows, which depends on nothing but the arguments; −1 without it.
double lazyscope_top_pairs(const LazyscopeTopPairs* pairs);

}
