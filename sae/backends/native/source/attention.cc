// Causal attention and rotary embedding, forward and backward.
//
// Queries are taken in blocks; a block looks only at the keys up to its last position, so the half of the
// scores above the diagonal is mostly never computed, and no more than one block of scores is ever stored.
// The backward pass computes the probabilities again. A task owns one key-value head of one sequence, with
// all the query heads that read it, so that dk and dv are added up by one thread.
#include <algorithm>
#include <cmath>
#include <limits>

#include "functions.h"
#include "gemm.h"
#include "lazyscope.h"
#include "pool.h"
#include "rows.h"

namespace lazyscope {
namespace {

constexpr int64_t block_rows = 64;

struct Shape {
  int64_t batch, heads, kv_heads, seq, keys, head;
};

// P [rows, keys of the block] = softmax(scale · q kᵀ) for queries [from, from + rows); returns the keys seen.
// Where `entropy` is given, Σ H(p)/log(n) of the queries that see n ≥ 2 keys is added to it.
int64_t probabilities(const Shape& s, const float* q, const float* k, int64_t from, int64_t rows, float scale, float* p,
                      double* entropy = nullptr) {
  const int64_t offset = s.keys - s.seq;
  const int64_t seen = offset + from + rows;
  product(rows, seen, s.head, {q + from * s.head, s.head, false}, {k, s.head, true},
          {p, seen, scale, 0, nullptr, false});
  for (int64_t i = 0; i < rows; i++) {
    float* row = p + i * seen;
    const int64_t own = offset + from + i + 1;
    float total;
    if (entropy) {
      const ExpSums sums = exp_row_weighted(row, row, own, row_max(row, own));
      total = sums.total;
      // With z the scores less their largest: log p = z − log Σ e^z, so H = log Σ e^z − Σ z e^z / Σ e^z.
      if (own > 1) *entropy += (std::log(double(total)) - double(sums.weighted) / total) / std::log(double(own));
    } else {
      total = exp_row(row, row, own, row_max(row, own));
    }
    const float inverse = 1.0f / total;
    for (int64_t j = 0; j < own; j++) row[j] *= inverse;
    std::fill(row + own, row + seen, 0.0f);
  }
  return seen;
}

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

void lazyscope_attention(const LazyscopeAttention* attention, float* y, float* entropies) {
  const auto& in = *attention;
  const float *q = in.q, *k = in.k, *v = in.v;
  const int64_t batch = in.batch, heads = in.heads, kv_heads = in.kv_heads, seq = in.seq, keys = in.keys, head = in.head;
  const float scale = in.scale;
  const Shape s{batch, heads, kv_heads, seq, keys, head};
  const int64_t group = heads / kv_heads;
  parallel_for(0, batch * heads, 1, [&](int64_t first, int64_t last) {
    for (int64_t t = first; t < last; t++) {
      const int64_t kv = t / heads * kv_heads + t % heads / group;
      const float *k_head = k + kv * keys * head, *v_head = v + kv * keys * head;
      const float* q_head = q + t * seq * head;
      float* p = scratch(Scratch::attention, block_rows * keys);
      double entropy = 0;
      for (int64_t from = 0; from < seq; from += block_rows) {
        const int64_t rows = std::min(block_rows, seq - from);
        const int64_t seen = probabilities(s, q_head, k_head, from, rows, scale, p, entropies ? &entropy : nullptr);
        product(rows, head, seen, {p, seen, false}, {v_head, head, false},
                {y + (t * seq + from) * head, head, 1, 0, nullptr, false});
      }
      if (entropies) entropies[t] = float(entropy);
    }
  });
}

// D = Σ dy·y per query; dP = dy vᵀ; dS = P (dP − D) · scale; dq = dS k; dk = Σ dSᵀ q; dv = Σ Pᵀ dy.
void lazyscope_attention_grad(const LazyscopeAttention* attention, const float* y, const float* dy, float* dq, float* dk,
                              float* dv) {
  const auto& in = *attention;
  const float *q = in.q, *k = in.k, *v = in.v;
  const int64_t batch = in.batch, heads = in.heads, kv_heads = in.kv_heads, seq = in.seq, keys = in.keys, head = in.head;
  const float scale = in.scale;
  const Shape s{batch, heads, kv_heads, seq, keys, head};
  const int64_t group = heads / kv_heads;
  parallel_for(0, batch * kv_heads, 1, [&](int64_t first, int64_t last) {
    for (int64_t t = first; t < last; t++) {
      const float *k_head = k + t * keys * head, *v_head = v + t * keys * head;
      float *dk_head = dk + t * keys * head, *dv_head = dv + t * keys * head;
      std::fill(dk_head, dk_head + keys * head, 0.0f);
      std::fill(dv_head, dv_head + keys * head, 0.0f);
      float* p = scratch(Scratch::attention, 2 * block_rows * keys);
      float* ds = p + block_rows * keys;
      for (int64_t g = 0; g < group; g++) {
        const int64_t h = t / kv_heads * heads + t % kv_heads * group + g;
        const float *q_head = q + h * seq * head, *y_head = y + h * seq * head, *dy_head = dy + h * seq * head;
        for (int64_t from = 0; from < seq; from += block_rows) {
          const int64_t rows = std::min(block_rows, seq - from);
          const int64_t seen = probabilities(s, q_head, k_head, from, rows, scale, p);
          const float* dy_block = dy_head + from * head;
          product(seen, head, rows, {p, seen, true}, {dy_block, head, false}, {dv_head, head, 1, 1, nullptr, false});
          product(rows, seen, head, {dy_block, head, false}, {v_head, head, true}, {ds, seen, 1, 0, nullptr, false});
          for (int64_t i = 0; i < rows; i++) {
            const float *a = dy_block + i * head, *b = y_head + (from + i) * head;
            float d = 0;
            for (int64_t j = 0; j < head; j++) d += a[j] * b[j];
            float* row = ds + i * seen;
            const float* weights = p + i * seen;
            for (int64_t j = 0; j < seen; j++) row[j] = weights[j] * (row[j] - d) * scale;
          }
          product(rows, head, seen, {ds, seen, false}, {k_head, head, false},
                  {dq + (h * seq + from) * head, head, 1, 0, nullptr, false});
          product(seen, head, rows, {ds, seen, true}, {q_head + from * head, head, false},
                  {dk_head, head, 1, 1, nullptr, false});
        }
      }
    }
  });
}

void lazyscope_rotary(const float* x, const float* cosine, const float* sine, float* y, int64_t rows, int64_t seq,
                      int64_t head, int32_t inverse) {
  const int64_t half = head / 2;
  const float sign = inverse ? -1.0f : 1.0f;
  parallel_for(0, rows * seq, std::max<int64_t>(1, (1 << 14) / head), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; r++) {
      const float *a = x + r * head, *b = a + half, *c = cosine + r % seq * half, *n = sine + r % seq * half;
      float *u = y + r * head, *w = u + half;
      for (int64_t i = 0; i < half; i++) {
        const float s = sign * n[i];
        u[i] = a[i] * c[i] - b[i] * s;
        w[i] = b[i] * c[i] + a[i] * s;
      }
    }
  });
}
}
