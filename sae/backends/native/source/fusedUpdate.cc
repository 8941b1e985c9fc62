// The fused update: latent by latent, both gradient rows are summed in the first-level cache and used on the spot
// (Adam, removal of the gradient parallel to the decoder row, unit norm), so that the gradient never goes to memory
// and weights and moments are read and written once.
//
// For a latent with decoder row w, over its entries (row b, pre-activation z, dot = error_b·w):
//   f = z where z > θ, else 0;  ∂f = scale·dot + l1·‖w‖;  ∂z = ∂f where z > θ
//   ∂w = Σ scale·f·error_b + l1·Σf·w/‖w‖;  ∂w_enc = Σ ∂z·(x_b − b_dec);  ∂b_enc = Σ ∂z
//   ∂θ = −Σ_{|z − θ| < ε/2} (θ·∂f + l0)/ε;  ∂log θ = θ·∂θ
//   ∂b_dec = scale·Σ_b error_b − Σ_i ∂b_enc,i·w_enc,i (the last term only where the encoder saw x − b_dec)
#include "fusedUpdate.h"

#include <algorithm>
#include <cstring>

#include "gemm.h"

namespace lazyscope {
namespace {

constexpr int64_t grain = 16;  // latents a task

struct Parameters {
  float *w_enc, *b_enc, *w_dec, *b_dec, *log_threshold;
};

struct Term {
  bool present;
  ByLatent list;
  const float* error;
  float scale;
};

struct Settings {
  float scale, aux_scale, l1, bandwidth, l0_gradient;
  Adam adam;
  double clip;  // 0: no clipping
  bool subtract, unit_norm;
};

struct Update {
  int64_t latents, d, rows;
  Parameters p, m, v;
  const float *x, *threshold;
  Term main, aux;
  Settings s;
  // Dense: gradients that products have computed already, without the l1 and centring terms.
  const float *dense_enc, *dense_dec, *dense_b, *dense_sum, *dense_theta;

  struct Row {
    float b, log_threshold;
  };

  void add_entries(const Term& term, int64_t i, float norm, float theta, bool main_term, float* dec, float* enc,
                   double& b, double& fsum, double& gtheta) const {
    constexpr int group = 64;
    const float *errors[group], *inputs[group];
    float cf[group], cz[group];
    const float l1 = main_term ? s.l1 * norm : 0.0f;
    const bool jump = main_term && s.bandwidth > 0;
    for (int64_t e = term.list.start[i], end = term.list.start[i + 1]; e < end;) {
      int n = 0;
      for (; e < end && n < group; e++) {
        const float z = term.list.value[e];
        const float df = term.scale * term.list.dot[e] + l1;
        if (jump && std::fabs(z - theta) < s.bandwidth / 2) gtheta -= (double(theta) * df + s.l0_gradient) / s.bandwidth;
        if (!fires(z, theta)) continue;
        const int64_t row = term.list.row[e];
        errors[n] = term.error + row * d;
        inputs[n] = x + row * d;
        cf[n] = term.scale * z;
        cz[n++] = df;
        b += df;
        fsum += z;
      }
      add_rows(dec, errors, cf, n, d);
      add_rows(enc, inputs, cz, n, d);
    }
  }

  // Both gradient rows of latent i.
  Row gradient(int64_t i, float* dec, float* enc) const {
    const float* w = p.w_dec + i * d;
    const float norm = s.l1 > 0 ? std::sqrt(dot_row(w, w, d)) : 0.0f;
    const float theta = threshold ? threshold[i] : 0.0f;
    double b = 0, fsum = 0, gtheta = 0;
    if (dense_enc) {
      std::memcpy(dec, dense_dec + i * d, d * sizeof(float));
      std::memcpy(enc, dense_enc + i * d, d * sizeof(float));
      b = dense_b[i];
      fsum = dense_sum[i];
      gtheta = dense_theta[i];
    } else {
      std::fill(dec, dec + d, 0.0f);
      std::fill(enc, enc + d, 0.0f);
      add_entries(main, i, norm, theta, true, dec, enc, b, fsum, gtheta);
    }
    if (aux.present) {
      double unused = 0;
      add_entries(aux, i, 0.0f, 0.0f, false, dec, enc, b, unused, unused);
    }
    if (s.l1 > 0) add_row(dec, w, float(s.l1 * fsum / std::max(norm, 1e-30f)), d);
    if (s.subtract) add_row(enc, p.b_dec, float(-b), d);
    return {float(b), float(gtheta * theta)};
  }

  // ∂b_dec; `parts` hold −Σ ∂b_enc,i·w_enc,i of each task.
  void decoder_bias(const float* parts, int64_t tasks, float* out) const {
    thread_local Buffer<float> column_parts;
    constexpr int64_t block = 64;
    const int64_t blocks = (rows + block - 1) / block;
    float* sums = at_least(column_parts, blocks * d);
    parallel_for(0, blocks, 1, [&](int64_t first, int64_t last) {
      for (int64_t k = first; k < last; k++) {
        std::fill(sums + k * d, sums + (k + 1) * d, 0.0f);
        for (int64_t row = k * block; row < std::min(rows, (k + 1) * block); row++)
          add_row(sums + k * d, main.error + row * d, main.scale, d);
      }
    });
    for (int64_t j = 0; j < d; j++) {
      double total = 0;
      for (int64_t k = 0; k < blocks; k++) total += sums[k * d + j];
      if (s.subtract)
        for (int64_t t = 0; t < tasks; t++) total += parts[t * d + j];
      out[j] = float(total);
    }
  }

  // Calls use(i, row, dec, enc) for every latent and returns ∂b_dec.
  template <class Use>
  void each(float* bias_gradient, Use&& use) const {
    thread_local Buffer<float> parts_buffer;
    const int64_t tasks = (latents + grain - 1) / grain;
    float* parts = at_least(parts_buffer, tasks * d);
    parallel_for(0, latents, grain, [&](int64_t first, int64_t last) {
      thread_local Buffer<float> rows_buffer;
      float* dec = at_least(rows_buffer, 2 * d);
      float* enc = dec + d;
      float* part = parts + first / grain * d;
      std::fill(part, part + d, 0.0f);
      for (int64_t i = first; i < last; i++) {
        const Row row = gradient(i, dec, enc);
        if (s.subtract) add_row(part, p.w_enc + i * d, -row.b, d);
        use(i, row, dec, enc);
      }
    });
    decoder_bias(parts, tasks, bias_gradient);
  }

  void write(const Parameters& out) const {
    each(out.b_dec, [&](int64_t i, Row row, const float* dec, const float* enc) {
      std::memcpy(out.w_dec + i * d, dec, d * sizeof(float));
      std::memcpy(out.w_enc + i * d, enc, d * sizeof(float));
      out.b_enc[i] = row.b;
      if (out.log_threshold) out.log_threshold[i] = row.log_threshold;
    });
  }

  // A first pass that only adds up squares; it costs the sums of the entries once more, and no memory.
  double norm(float* bias_gradient) const {
    thread_local Buffer<double> squares_buffer;
    double* squares = at_least(squares_buffer, latents);
    each(bias_gradient, [&](int64_t i, Row row, const float* dec, const float* enc) {
      squares[i] = double(dot_row(dec, dec, d)) + dot_row(enc, enc, d) + double(row.b) * row.b;
      if (p.log_threshold) squares[i] += double(row.log_threshold) * row.log_threshold;
    });
    double total = dot_row(bias_gradient, bias_gradient, d);
    for (int64_t i = 0; i < latents; i++) total += squares[i];
    return std::sqrt(total);
  }

  void step() const {
    thread_local Buffer<float> bias_buffer;
    float* bias_gradient = at_least(bias_buffer, d);
    double scale = 1;
    if (s.clip > 0) scale = std::min(1.0, s.clip / norm(bias_gradient));
    const float c = float(scale);
    each(bias_gradient, [&](int64_t i, Row row, float* dec, const float* enc) {
      float* w = p.w_dec + i * d;
      if (s.unit_norm) add_row(dec, w, -dot_row(dec, w, d) / std::max(dot_row(w, w, d), 1e-30f), d);
      adam_step(s.adam, w, m.w_dec + i * d, v.w_dec + i * d, dec, c, d);
      if (s.unit_norm) {
        const float inverse = 1.0f / std::max(std::sqrt(dot_row(w, w, d)), 1e-30f);
        for (int64_t j = 0; j < d; j++) w[j] *= inverse;
      }
      adam_step(s.adam, p.w_enc + i * d, m.w_enc + i * d, v.w_enc + i * d, enc, c, d);
      adam_step(s.adam, p.b_enc + i, m.b_enc + i, v.b_enc + i, &row.b, c, 1);
      if (p.log_threshold)
        adam_step(s.adam, p.log_threshold + i, m.log_threshold + i, v.log_threshold + i, &row.log_threshold, c, 1);
    });
    adam_step(s.adam, p.b_dec, m.b_dec, v.b_dec, bias_gradient, c, d);
  }
};

thread_local EntryBuffers main_entries, aux_entries;

Settings settings_from(const double* s) {
  return {float(s[0]), float(s[1]), float(s[2]), float(s[3]), float(s[4]), {s[5], s[6], s[7], s[8], s[9]}, s[10],
          s[11] != 0, s[12] != 0};
}

void finish(const Update& update, bool write_gradient) {
  if (write_gradient) update.write(update.m);
  else update.step();
}

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

// `settings`: scale, aux scale, l1, bandwidth (0: no thresholds), l0 gradient, Adam's rate, β1, β2, ε, root, clip
// (0: none), whether the encoder saw x − b_dec, whether decoder rows have unit norm. With `write_gradient` the
// gradient goes to m_… and nothing else changes. Null aux_row_start: no auxiliary term.
void lazyscope_sparse_update(int64_t latents, int64_t d, int64_t rows, int32_t write_gradient, const double* settings,
                             float* w_enc, float* b_enc, float* w_dec, float* b_dec, float* log_threshold,
                             float* m_w_enc, float* m_b_enc, float* m_w_dec, float* m_b_dec, float* m_log_threshold,
                             float* v_w_enc, float* v_b_enc, float* v_w_dec, float* v_b_dec, float* v_log_threshold,
                             const float* x, const float* threshold, const int32_t* row_start, const int32_t* indices,
                             const float* values, const float* dots, const float* error, const int32_t* aux_row_start,
                             const int32_t* aux_indices, const float* aux_values, const float* aux_dots,
                             const float* aux_error) {
  const Settings s = settings_from(settings);
  Update update{};
  update.latents = latents, update.d = d, update.rows = rows;
  update.p = {w_enc, b_enc, w_dec, b_dec, log_threshold};
  update.m = {m_w_enc, m_b_enc, m_w_dec, m_b_dec, m_log_threshold};
  update.v = {v_w_enc, v_b_enc, v_w_dec, v_b_dec, v_log_threshold};
  update.x = x, update.threshold = threshold, update.s = s;
  update.main = {true, by_latent(main_entries, row_start, indices, values, dots, rows, latents), error, s.scale};
  if (aux_row_start)
    update.aux = {true, by_latent(aux_entries, aux_row_start, aux_indices, aux_values, aux_dots, rows, latents),
                  aux_error, s.aux_scale};
  finish(update, write_gradient != 0);
}

// The same from matrices z and dots [rows, latents], which are overwritten with f and ∂z.
void lazyscope_dense_update(int64_t latents, int64_t d, int64_t rows, int32_t write_gradient, const double* settings,
                            float* w_enc, float* b_enc, float* w_dec, float* b_dec, float* log_threshold,
                            float* m_w_enc, float* m_b_enc, float* m_w_dec, float* m_b_dec, float* m_log_threshold,
                            float* v_w_enc, float* v_b_enc, float* v_w_dec, float* v_b_dec, float* v_log_threshold,
                            const float* x, const float* threshold, float* z, float* dots, const float* error) {
  thread_local Buffer<float> buffer;
  const Settings s = settings_from(settings);
  float* enc = at_least(buffer, 2 * latents * d + 4 * latents);
  float* dec = enc + latents * d;
  float *b = dec + latents * d, *sums = b + latents, *theta_gradient = sums + latents, *norms = theta_gradient + latents;
  if (s.l1 > 0)
    parallel_for(0, latents, 64, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; i++) norms[i] = std::sqrt(dot_row(w_dec + i * d, w_dec + i * d, d));
    });
  else
    std::fill(norms, norms + latents, 0.0f);
  parallel_for(0, latents, columns_together, [&](int64_t first, int64_t last) {
    std::fill(b + first, b + last, 0.0f);
    std::fill(sums + first, sums + last, 0.0f);
    std::fill(theta_gradient + first, theta_gradient + last, 0.0f);
    const float half = s.bandwidth / 2, inverse = s.bandwidth > 0 ? 1 / s.bandwidth : 0.0f;
    for (int64_t row = 0; row < rows; row++) {
      float *z_row = z + row * latents, *dot_row_ = dots + row * latents;
      for (int64_t i = first; i < last; i++) {
        const float theta = threshold ? threshold[i] : 0.0f;
        const float value = z_row[i], df = s.scale * dot_row_[i] + s.l1 * norms[i];
        const bool off = value <= theta;
        const float f = off ? 0.0f : value, dz = off ? 0.0f : df;
        theta_gradient[i] -= std::fabs(value - theta) < half ? (theta * df + s.l0_gradient) * inverse : 0.0f;
        b[i] += dz;
        sums[i] += f;
        z_row[i] = f;
        dot_row_[i] = dz;
      }
    }
  });
  product(latents, d, rows, {z, latents, true}, {error, d, false}, {dec, d, s.scale, 0.0f, nullptr, false});
  product(latents, d, rows, {dots, latents, true}, {x, d, false}, {enc, d, 1.0f, 0.0f, nullptr, false});
  Update update{};
  update.latents = latents, update.d = d, update.rows = rows;
  update.p = {w_enc, b_enc, w_dec, b_dec, log_threshold};
  update.m = {m_w_enc, m_b_enc, m_w_dec, m_b_dec, m_log_threshold};
  update.v = {v_w_enc, v_b_enc, v_w_dec, v_b_dec, v_log_threshold};
  update.x = x, update.threshold = threshold, update.s = s;
  update.main.error = error, update.main.scale = s.scale;
  update.dense_enc = enc, update.dense_dec = dec, update.dense_b = b, update.dense_sum = sums;
  update.dense_theta = theta_gradient;
  finish(update, write_gradient != 0);
}
}
