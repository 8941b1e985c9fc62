// Runs every C function of the library on small, odd sizes with buffers that end where they must, so that the
// sanitizers see each overrun, and compares the matrix product with a plain loop. Built by
// scripts/sanitize.mjs; not part of the library.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "lazyscope.h"

static int failures = 0;
static void check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "wrong: %s\n", what);
  failures++;
}

// Exactly n elements on the heap: one more is an error.
template <class T = float>
struct Array {
  T* data;
  explicit Array(int64_t n, bool random = true) : data(static_cast<T*>(std::malloc(n * sizeof(T) + (n == 0)))) {
    for (int64_t i = 0; i < n; i++) data[i] = random ? static_cast<T>(std::rand() % 2000 - 1000) / T(sizeof(T) == 4 && T(0.5) != T(0) ? 500 : 1) : T(0);
  }
  ~Array() { std::free(data); }
  Array(const Array&) = delete;
  operator T*() const { return data; }
};
static Array<int32_t>* indices(int64_t n, int below) {
  auto* a = new Array<int32_t>(n, false);
  for (int64_t i = 0; i < n; i++) a->data[i] = std::rand() % below;
  return a;
}

static void multiply(const LazyscopeGemm& arguments) { lazyscope_gemm(&arguments); }

static void products() {
  const int64_t sizes[][3] = {{1, 1, 1}, {1, 37, 50}, {4, 19, 300}, {5, 1, 7}, {13, 33, 65}, {97, 130, 257}, {65, 70, 1100}, {200, 40, 20}, {3, 5, 0}};
  for (auto& s : sizes)
    for (int t = 0; t < 4; t++) {
      const int64_t m = s[0], n = s[1], k = s[2];
      Array<> a(m * k), b(k * n), c(m * n), bias(n);
      multiply({a, b, c, bias, 1, 0, 0, m, n, k, t & 1, t >> 1, 1, 0, 0});
      double worst = 0;
      for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
          double sum = bias[j];
          for (int64_t l = 0; l < k; l++) sum += double(t & 1 ? a[l * m + i] : a[i * k + l]) * (t >> 1 ? b[j * k + l] : b[l * n + j]);
          worst = std::fmax(worst, std::fabs(c[i * n + j] - sum));
        }
      check(worst < 1e-2, "product");
    }
  Array<> a(40 * 6 * 5), b(40 * 5 * 4), c(40 * 6 * 4);
  multiply({a, b, c, nullptr, 40, 30, 20, 6, 4, 5, 0, 0, 1, 1, 1});
}

// Products with weights in the format of their file, and their rows, are to the bit those of the widened matrix.
static void stored_weights() {
  // Values and bytes of a block, in the order of storedFormats in sae/ops/storedTensor.ts.
  const int64_t layouts[][2] = {{1, 4}, {1, 2}, {1, 2}, {32, 18}, {32, 20}, {32, 22}, {32, 24}, {32, 34}, {256, 84}, {256, 110}, {256, 144}, {256, 176}, {256, 210}};
  for (int32_t format = 0; format < 13; format++)
    for (int64_t n : {1, 5, 130}) {
      const int64_t m = 3, k = layouts[format][0] == 1 ? 37 : 2 * layouts[format][0], bytes = n * (k / layouts[format][0]) * layouts[format][1];
      Array<uint8_t> b(bytes, false);
      // Every 16 bits are a small number in half precision, in bfloat16 and as the first half of a float; so are all scales of blocks.
      for (int64_t i = 0; i < bytes; i++) b[i] = static_cast<uint8_t>(i % 2 == 0 ? std::rand() % 200 : 0x3c);
      Array<> a(m * k), bias(n), wide(n * k), c(m * n), expected(m * n), rows(4 * k);
      lazyscope_widen(format, b, n, k, wide);
      const LazyscopeStoredProduct product{format, a, b, c, bias, m, n, k, 0};
      lazyscope_stored_product(&product);
      multiply({a, wide, expected, bias, 1, 0, 0, m, n, k, 0, 1, 1, 0, 0});
      for (int64_t i = 0; i < m * n; i++) check(c[i] == expected[i], "product with stored weights");
      auto* index = indices(4, static_cast<int>(n));
      check(lazyscope_stored_gather(format, b, *index, rows, n, 4, k) == -1, "gather of stored rows");
      for (int64_t i = 0; i < 4 * k; i++) check(rows[i] == wide[index->data[i / k] * k + i % k], "stored row");
      index->data[2] = static_cast<int32_t>(n);
      check(lazyscope_stored_gather(format, b, *index, rows, n, 4, k) == 2, "gather of stored rows out of range");
      delete index;
    }
}

static void elements() {
  for (int64_t n : {0, 1, 7, 17, 70001}) {
    Array<> x(n), y(n), z(n);
    for (int op = 0; op < 26; op++) lazyscope_unary(op, x, y, n, 0.5f);
    const int32_t shape[] = {static_cast<int32_t>(n), 1, 1};
    Array<uint8_t> flags(n, false);
    if (n > 0)
      for (int op = 0; op < 16; op++) lazyscope_binary(op, 0, x, y, op < 8 ? static_cast<void*>(z) : flags, 1, shape);
    lazyscope_accumulate(x, y, n);
    for (int function = 0; function < 4; function++) {
      lazyscope_activation(function, x, y, n);
      lazyscope_activation_grad(function, x, y, z, n);
    }
    Array<int32_t> i(n), j(n), k(n);
    lazyscope_select(flags, i.data, j.data, k.data, n);
    lazyscope_cast(0, 1, x, k, n);
    lazyscope_cast(0, 2, x, flags, n);
    lazyscope_cast(1, 0, k, y, n);
    lazyscope_cast(1, 2, k, flags, n);
    lazyscope_cast(2, 0, flags, y, n);
    lazyscope_cast(2, 1, flags, k, n);
    lazyscope_fill(y.data, n, 1.5f);
  }
  Array<> a(13), b(17), out(13 * 17);
  const int32_t cross[] = {13, 17, 1, 0, 0, 1};
  for (int op = 0; op < 8; op++) lazyscope_binary(op, 0, a, b, out, 2, cross);
  check(out[13 * 17 - 1] == (a[12] - b[16]) * (a[12] - b[16]), "broadcast");
}

static void reductions() {
  const int64_t boxes[][3] = {{1, 1, 1}, {5, 33, 1}, {1, 700, 13}, {3, 5, 7}, {1, 100003, 1}, {2, 0, 3}};
  for (auto& s : boxes) {
    const int64_t outer = s[0], n = s[1], inner = s[2];
    Array<> x(outer * n * inner), y(outer * inner), z(outer * n * inner);
    Array<int32_t> i(outer * n * inner), at(outer * inner);
    for (int op = 0; op < 4; op++) {
      lazyscope_reduce(op, x, y, outer, n, inner);
      lazyscope_reduce_int(op, i, at, outer, n, inner);
    }
    lazyscope_arg_extreme(x, at, outer, n, inner, 0);
    lazyscope_cumsum(x, z, outer, n, inner, 1, 1);
    if (n > 0) lazyscope_softmax(x, z, outer * inner, n);
    lazyscope_sum_of_squares(x, outer * n * inner);
  }
}

static void movement() {
  Array<> x(7 * 11 * 13), y(7 * 11 * 13);
  const int32_t transposed[] = {13, 7, 11, 1, 143, 13, 77, 11, 1};
  lazyscope_copy(4, x, 0, y, 0, 3, transposed);
  check(y[76 + 77 * 12] == x[12 + 13 * (10 + 11 * 6)], "transpose");
  const int32_t slice[] = {3, 4, -13, 2, 4, 1};
  lazyscope_copy(4, x, 13 * 5, y, 0, 2, slice);
  const int32_t run[] = {7 * 11 * 13, 1, 1};
  lazyscope_copy(4, x, 0, y, 0, 1, run);
  auto* index = indices(9, 11);
  Array<> rows(9 * 7), sums(11 * 7);
  check(lazyscope_gather(x.data, *index, rows.data, 1, 11, 9, 7) == -1, "gather");
  index->data[4] = 11;
  check(lazyscope_gather(x.data, *index, rows.data, 1, 11, 9, 7) == 4, "gather out of range");
  lazyscope_segment_sum(rows, *index, sums, 9, 11, 7);
  delete index;
}

static void language_model() {
  const int64_t boxes[][2] = {{1, 1}, {5, 7}, {200, 33}};
  for (auto& s : boxes) {
    const int64_t rows = s[0], d = s[1];
    Array<> x(rows * d), y(rows * d), dx(rows * d), gain(d), bias(d), sums(2 * d), loss(rows);
    lazyscope_rms_norm(x, gain, y, rows, d, 1e-5f);
    lazyscope_rms_norm_grad(x, gain, y, dx, bias, rows, d, 1e-5f);
    lazyscope_layer_norm(x, gain, bias, y, rows, d, 1e-5f);
    lazyscope_layer_norm_grad(x, gain, y, dx, sums, rows, d, 1e-5f);
    auto* labels = indices(rows, static_cast<int>(d));
    lazyscope_cross_entropy(x, *labels, loss, rows, d);
    lazyscope_cross_entropy_grad(x, *labels, loss, dx, rows, d);
    delete labels;
    Array<> m(rows * d, false), v(rows * d, false);
    const LazyscopeAdamW settings{1e-3f, 0.9f, 0.99f, 1e-8f, 0.1f, 0.1f, 0.01f, 1};
    lazyscope_adamw(x, y, m, v, rows * d, &settings);
  }
  const int64_t shapes[][6] = {{1, 1, 1, 1, 1, 1}, {2, 4, 2, 70, 70, 5}, {1, 2, 1, 3, 90, 16}};
  for (auto& s : shapes) {
    const int64_t q_size = s[0] * s[1] * s[3] * s[5], k_size = s[0] * s[2] * s[4] * s[5];
    Array<> q(q_size), k(k_size), v(k_size), y(q_size), dy(q_size), dq(q_size), dk(k_size), dv(k_size);
    Array<> plain(q_size), entropies(s[0] * s[1]);
    const LazyscopeAttention attention{q, k, v, s[0], s[1], s[2], s[3], s[4], s[5], 0.3f};
    lazyscope_attention(&attention, plain, nullptr);
    lazyscope_attention(&attention, y, entropies);
    for (int64_t i = 0; i < q_size; i++) check(plain[i] == y[i], "attention with entropies");
    lazyscope_attention_grad(&attention, y, dy, dq, dk, dv);
  }
  Array<> x(3 * 5 * 6), y(3 * 5 * 6), cosine(5 * 3), sine(5 * 3);
  lazyscope_rotary(x, cosine, sine, y, 3, 5, 6, 1);
}

struct Dictionary {
  Array<> w_enc, b_enc, w_dec, b_dec, log_threshold;
  Dictionary(int64_t latents, int64_t d, bool random = true)
      : w_enc(latents * d, random), b_enc(latents, random), w_dec(latents * d, random), b_dec(d, random), log_threshold(latents, random) {}
};

// Whole training steps, with every encoder and either way of screening.
static void autoencoders() {
  const int64_t shapes[][4] = {{1, 1, 1, 1}, {6, 7, 31, 31}, {70, 37, 130, 9}, {130, 90, 700, 20}};
  for (auto& s : shapes) {
    const int64_t rows = s[0], d = s[1], latents = s[2], k = s[3];
    Array<> x(rows * d), theta(latents), error(rows * d), out(rows * d), outer(latents * d);
    Dictionary p(latents, d), m(latents, d, false), v(latents, d, false);
    lazyscope_scaled_batch(x, rows, d, 0.5f);
    Array<int32_t> start(rows + 1, false), chosen(rows * k, false), screened(rows * k, false), counts(latents, false);
    Array<> values(rows * k), same(rows * k), dots(rows * k), sums(latents);
    for (int64_t row = 0; row <= rows; row++) start[row] = static_cast<int32_t>(row * k);
    const LazyscopeEncoder centred{x, p.b_dec, p.w_enc, p.b_enc, rows, d, latents}, plain{x, nullptr, p.w_enc, p.b_enc, rows, d, latents};
    lazyscope_topk_encode(&centred, nullptr, 0, k, 0, chosen, values);
    lazyscope_topk_encode(&centred, nullptr, 0, k, 2, screened, same);
    for (int64_t i = 0; i < rows * k; i++) check(chosen[i] == screened[i] && values[i] == same[i], "screened top-k");
    Array<int32_t> among((latents + 1) / 2, false);
    for (int64_t i = 0; i < (latents + 1) / 2; i++) among[i] = static_cast<int32_t>(2 * i);
    lazyscope_topk_encode(&plain, among, (latents + 1) / 2, 1, 2, screened, same);
    // In halves: what all reach is what `part` of them are sure to reach, and the others may be zeros.
    Array<> bars(rows);
    if (lazyscope_topk_screen(&centred, nullptr, 0, k, (k + 1) / 2, 2, bars)) {
      lazyscope_topk_settle(nullptr, bars, screened, same);
      for (int64_t row = 0; row < rows; row++) {
        int64_t reached = 0;
        for (int64_t i = 0; i < k; i++) reached += same[row * k + i] >= bars[row];
        check(reached >= (k + 1) / 2, "top-k in halves");
      }
    }
    // Another process has sent the same values: half of the places are this one's, of odd ones the last is not.
    Array<> sent(2 * rows * k);
    for (int64_t i = 0; i < 2 * rows * k; i++) sent[i] = values[i % (rows * k)];
    const LazyscopeCandidates candidates{start, chosen, sent, rows, k, 2, 1, k};
    Array<int32_t> kept_start(rows + 1, false);
    lazyscope_own_of_largest(&candidates, kept_start, screened, same);
    for (int64_t row = 0; row < rows; row++) check(kept_start[row + 1] - kept_start[row] <= k / 2, "candidates of two processes");

    lazyscope_sparse_decode(start, chosen, values, p.w_dec, rows, d, out);
    lazyscope_sparse_dots(start, chosen, out, p.w_dec, rows, d, latents, dots);
    lazyscope_sparse_outer(start, chosen, values, x, rows, d, latents, outer);
    lazyscope_sparse_firings(chosen, values, nullptr, rows * k, latents, counts, sums);
    const LazyscopeReconstruction of_list{values, nullptr, p.w_dec, p.b_dec, x, rows, d, latents, error, dots};
    lazyscope_sparse_reconstruct(start, chosen, &of_list);
    const LazyscopeDictionary second{v.w_enc, v.b_enc, v.w_dec, v.b_dec, v.log_threshold};
    LazyscopeUpdate update{latents, d, d, rows, 0, 0.1, 0.05, 0.01, 0, 0, 1e-3, 0.9, 0.999, 1e-8, 1, 1, 1, 1, {p.w_enc, p.b_enc, p.w_dec, p.b_dec, nullptr}, {m.w_enc, m.b_enc, m.w_dec, m.b_dec, nullptr}, &second, x, nullptr};
    const LazyscopeTerm term{start, chosen, values, dots, error};
    lazyscope_sparse_update(&update, &term, &term);

    LazyscopeUpdate jump{latents, d, d, rows, 0, 0.1, 0, 0, 0.2, 0.01, 1e-3, 0.9, 0.999, 1e-8, 1, 0, 0, 1, {p.w_enc, p.b_enc, p.w_dec, p.b_dec, p.log_threshold}, {m.w_enc, m.b_enc, m.w_dec, m.b_dec, m.log_threshold}, &second, x, theta};
    int64_t found[2];
    for (int screening : {0, 2}) {
      found[screening / 2] = lazyscope_threshold_encode(&plain, theta, 0.1f, rows * latents, 5, screening);
      Array<int32_t> own_start(rows + 1, false), index(found[screening / 2], false);
      Array<> z(found[screening / 2]), own_dots(found[screening / 2]);
      lazyscope_threshold_take(rows, own_start, index, z);
      lazyscope_sparse_firings(index, z, theta, found[screening / 2], latents, counts, sums);
      const LazyscopeReconstruction of_found{z, theta, p.w_dec, p.b_dec, x, rows, d, latents, error, own_dots};
      lazyscope_sparse_reconstruct(own_start, index, &of_found);
      jump.write_gradient = screening;
      const LazyscopeTerm own{own_start, index, z, own_dots, error};
      lazyscope_sparse_update(&jump, &own, nullptr);
    }
    // Of all that fire the largest; asked for more than there are, all of them.
    const int64_t firing = lazyscope_threshold_encode(&plain, nullptr, 0, rows * latents, 5, 0);
    for (int64_t count : {(firing + 1) / 2, firing + 3}) {
      if (count == 0) continue;
      const int64_t taken = std::min(count, firing);
      Array<int32_t> own_start(rows + 1, false), index(taken, false);
      Array<> largest(taken);
      const double least = lazyscope_largest_take(rows, count, own_start, index, largest);
      check(own_start[rows] == taken, "number of the largest");
      for (int64_t i = 0; i < taken; i++) check(largest[i] >= least, "the least that is taken");
    }
    // Two nested reconstructions: the last is the whole one.
    const int32_t prefixes[] = {static_cast<int32_t>((latents + 1) / 2), static_cast<int32_t>(latents)};
    Array<> nested(2 * rows * d);
    const LazyscopeReconstruction in_parts{values, nullptr, p.w_dec, p.b_dec, x, rows, d, latents, nested, dots};
    lazyscope_nested_reconstruct(start, chosen, prefixes, 2, &in_parts);
    const LazyscopeReconstruction as_one{values, nullptr, p.w_dec, p.b_dec, x, rows, d, latents, error, dots};
    lazyscope_sparse_reconstruct(start, chosen, &as_one);
    for (int64_t i = 0; i < rows * d; i++) check(std::fabs(nested[rows * d + i] - error[i]) <= 1e-3 * (1 + std::fabs(error[i])), "nested reconstruction");

    lazyscope_threshold_encode(&plain, nullptr, 0, 1, 5, 2);
    Array<> z(rows * latents), all(rows * latents);
    lazyscope_threshold_count(&centred, theta, 0.1f);
    lazyscope_dense_encode(&centred, z);
    lazyscope_dense_firings(z, theta, rows, latents, counts, sums);
    const LazyscopeReconstruction of_matrix{z, theta, p.w_dec, p.b_dec, x, rows, d, latents, error, all};
    lazyscope_dense_reconstruct(&of_matrix);
    jump.write_gradient = 0;
    // Of a crosscoder: the rows' sizes are summed by blocks.
    const int32_t blocks[] = {static_cast<int32_t>((d + 1) / 2), static_cast<int32_t>(d)};
    jump.blocks = blocks, jump.block_count = d > 1 ? 2 : 1;
    lazyscope_dense_update(&jump, z, all, error);
  }
}

static void firing() {
  for (int64_t neurons : {1, 63, 64, 200}) {
    const int64_t rows = 9, chunk = lazyscope_firing_chunk(), chunks = (neurons + chunk - 1) / chunk;
    Array<> a(rows * neurons), gates(rows * neurons), bar(neurons, false), sum(neurons), thresholds(2, false);
    thresholds[1] = 1;
    for (int64_t i = 0; i < rows * neurons; i += 3) gates[i] = 0;
    Array<int32_t> fired(neurons), fired_at(neurons), levels(3), row_fired(rows), over(rows * neurons), counts(chunks);
    const LazyscopeFiring request{a, gates, bar, rows, neurons, thresholds, 2, 1, fired, fired_at, sum, levels, row_fired, over, counts};
    lazyscope_firing(&request);
    int64_t all = 0, by_row = 0, by_level = 0;
    for (int64_t i = 0; i < neurons; i++) all += fired[i];
    for (int64_t r = 0; r < rows; r++) by_row += row_fired[r];
    for (int e = 0; e < 3; e++) by_level += levels[e];
    check(all == by_row && all == by_level, "firing counts");
    Array<> signal(2);
    lazyscope_signal(a, rows, neurons, signal);
  }
  Array<> constant(3 * 130), signal(2);
  for (int64_t i = 0; i < 3 * 130; i++) constant[i] = 2;
  lazyscope_signal(constant, 130, 3, signal);
  check(signal[0] == 4 * 130 && signal[1] == 0, "signal");

  // Rows 3, 4 and 12 along three axes, the second neuron silent for the second token.
  const int64_t wide = 37;
  Array<> outputs(3 * wide), by(6), lost(6);
  Array<int32_t> order(6);
  for (int64_t i = 0; i < 3 * wide; i++) outputs[i] = 0;
  outputs[0] = 3, outputs[wide + 1] = 4, outputs[3 * wide - 1] = 12;
  const float given[] = {1, -1, 1, 2, 0, 1};
  const int32_t ranks[] = {0, 1, 2, 1, 2, 0};
  for (int i = 0; i < 6; i++) by[i] = given[i], order[i] = ranks[i];
  lazyscope_truncation(by, outputs, order, 2, 3, wide, lost);
  check(lost[0] == 3 && lost[1] == 5 && lost[2] == 13, "truncation");
  check(lost[3] == 0 && lost[4] == 12 && std::fabs(lost[5] - std::sqrt(180.0f)) < 1e-5f, "truncation of a silent neuron");
}

static void masking() {
  for (int64_t neurons : {2, 15, 64, 517})
    for (int32_t rule = 0; rule < 4; rule++)
      for (bool keyed : {false, true}) {
        const int64_t rows = 19, k = (neurons + 1) / 2;
        Array<> a(rows * neurons), key(rows * neurons), bars(neurons), out(rows * neurons, false);
        Array<int32_t> counts(2);
        const LazyscopeMasking request{a, keyed ? key.data : nullptr, rule == 0 ? bars.data : nullptr, rows, neurons, rule, k, 0.3, out, counts};
        lazyscope_mask(&request);
        int64_t zeros = 0, before = 0;
        for (int64_t i = 0; i < rows * neurons; i++) zeros += out[i] == 0, before += a[i] == 0;
        check(counts[0] == zeros && counts[1] == before, "zeros of masked activations");
        if (rule == 1) check(zeros >= rows * (neurons - k) && zeros <= rows * (neurons - k) + before, "the k largest");
        if (rule == 0)
          for (int64_t i = 0; i < rows * neurons; i++)
            check(out[i] == ((keyed ? key[i] : std::fabs(a[i])) <= bars[i % neurons] ? 0 : a[i]), "masked at most");
      }
}

static void top_pairs(int32_t screening) {
  const int64_t rows = 90, columns = 131, d = 29;
  const int32_t per_row = 5, per_column = 3;
  Array<> a(rows * d), b(columns * d), row_offset(rows, false), column_offset(columns + 64, false), best(rows, false);
  Array<int32_t> row_index(rows * per_row, false), column_index(columns * per_column, false);
  Array<> row_score(rows * per_row, false), row_bar(rows, false), column_score(columns * per_column, false), column_bar(columns + 64, false);
  for (auto* values : {&row_score, &column_score, &row_bar, &best, &column_bar})
    for (int64_t i = 0, n = values == &row_score ? rows * per_row : values == &column_score ? columns * per_column : values == &column_bar ? columns : rows; i < n; i++)
      values->data[i] = -INFINITY;
  for (int64_t i = columns; i < columns + 64; i++) column_bar[i] = INFINITY;
  const LazyscopeTopPairs pairs{a, 0, rows, b, columns, d, row_offset, column_offset, best, {per_row, row_index, row_score, row_bar}, {per_column, column_index, column_score, column_bar}, screening};
  lazyscope_top_pairs(&pairs);
  for (int64_t i = 0; i < rows; i++) {
    double most = -1e9;
    for (int64_t j = 0; j < columns; j++) {
      double dot = 0;
      for (int64_t l = 0; l < d; l++) dot += double(a[i * d + l]) * b[j * d + l];
      most = std::fmax(most, dot);
    }
    check(std::fabs(most - best[i]) < 1e-3, "best pair of a row");
  }
}

int main() {
  check(lazyscope_vector_width() >= 1 && (lazyscope_can_screen() | 1) == 1, "what the processor can");
  for (int threads : {1, 4}) {
    lazyscope_set_threads(threads);
    check(lazyscope_threads() == threads, "threads");
    products();
    stored_weights();
    elements();
    reductions();
    movement();
    language_model();
    autoencoders();
    firing();
    masking();
  masking();
    for (int32_t screening : {0, 2}) top_pairs(screening);
  }
  // Two callers at once: the second runs on its own thread.
  std::thread other(products);
  products();
  other.join();
  if (failures == 0) std::puts("self-test passed");
  return failures == 0 ? 0 : 1;
}
