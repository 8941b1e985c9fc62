// The fused update: latent by latent, both gradient rows are summed in the first-level cache and used on the spot
// (Adam, removal of the gradient parallel to the decoder row, unit norm), so that the gradient never goes to memory
// and weights and moments are read and written once.
//
// For a latent with decoder row w, over its entries (row b, pre-activation z, dot = error_b·w):
//   f = z where z > θ, else 0;  ∂f = scale·dot + l1·‖w‖;  ∂z = ∂f where z > θ
//   ∂w = Σ scale·f·error_b + l1·Σf·w/‖w‖;  ∂w_enc = Σ ∂z·(x_b − b_dec);  ∂b_enc = Σ ∂z
//   ∂θ = −Σ_{|z − θ| < ε/2} (θ·∂f + l0)/ε;  ∂log θ = θ·∂θ
// In nested reconstructions error_b is the sum of the errors of all prefixes that have the latent; ∂b_dec takes that of all.
//   ∂b_dec = scale·Σ_b error_b − Σ_i ∂b_enc,i·w_enc,i (the last term only where the encoder saw x − b_dec)
// For a gated one with gain g = exp(r_mag), entries have a magnitude m and a gate π that is open where π > 0:
//   f = m where open and m > 0;  ∂m = scale·dot there;  ∂π = gate scale·gate dot + gate l1 where open
//   ∂w = Σ scale·f·error_b;  ∂w_enc = Σ (g·∂m + ∂π)·(x_b − b_dec);  ∂b_enc = Σ ∂π;  ∂b_mag = Σ ∂m;
//   ∂r_mag = Σ ∂m·(m − b_mag);  in ∂b_dec the sum of g·∂m + ∂π takes the place of ∂b_enc
// Of a crosscoder ‖w‖ is Σ_l ‖w_l‖ over the blocks of w, and w/‖w‖ in ∂w has w_l/‖w_l‖ in block l. To keep Σ_l ‖w_l‖ = 1, the part of the
// gradient along that normal is removed.
#include "fusedUpdate.h"

#include <algorithm>
#include <cstring>

#include "gemm.h"
#include "lazyscope.h"

namespace lazyscope {
namespace {

constexpr int64_t grain = 16;  // latents a task

struct Term {
  bool present;
  ByLatent list;
  const float* error;
  float scale;
};

struct Gate {
  const ByLatent* list;  // null without a gate
  const float* gain;
  float scale, l1;
};

struct Settings {
  float scale, aux_scale, l1, bandwidth, l0_gradient;
  Adam adam;
  double clip;  // 0: no clipping
  bool subtract, unit_norm;
};

struct Update {
  int64_t latents, d, outputs, rows;  // d is the width of x, outputs that of the errors and of W_dec
  LazyscopeDictionary p, m, v;
  const float *x, *threshold;
  Term main, aux;
  Settings s;
  // Dense: gradients that products have computed already, without the l1 and centring terms.
  const float *dense_enc, *dense_dec, *dense_b, *dense_sum, *dense_theta, *dense_r, *dense_mag;
  Gate gate;
  const int32_t* prefixes;
  const int32_t* blocks;  // ends of the blocks of a decoder row; null: one block
  int32_t block_count;

  // Σ_l ‖w_l‖ over the blocks of a decoder row.
  float size_of(const float* w) const {
    if (!blocks) return std::sqrt(dot_row(w, w, outputs));
    float sum = 0;
    for (int32_t l = 0, from = 0; l < block_count; from = blocks[l++]) sum += std::sqrt(dot_row(w + from, w + from, blocks[l] - from));
    return sum;
  }

  // row += scale · w_l/‖w_l‖ in each block l: the gradient of size_of.
  void add_normal(float* row, const float* w, double scale) const {
    if (!blocks) {
      add_row(row, w, float(scale / std::max(std::sqrt(dot_row(w, w, outputs)), 1e-30f)), outputs);
      return;
    }
    for (int32_t l = 0, from = 0; l < block_count; from = blocks[l++]) {
      const int64_t width = blocks[l] - from;
      const float norm = std::sqrt(dot_row(w + from, w + from, width));
      add_row(row + from, w + from, float(scale / std::max(norm, 1e-30f)), width);
    }
  }

  // Takes from `row` its part along the gradient n of size_of at w: row −= (row·n/n·n) n.
  void remove_normal(float* row, const float* w) const {
    if (!blocks) {
      add_row(row, w, -dot_row(row, w, outputs) / std::max(dot_row(w, w, outputs), 1e-30f), outputs);
      return;
    }
    float along = 0, square = 0;
    for (int32_t l = 0, from = 0; l < block_count; from = blocks[l++]) {
      const int64_t width = blocks[l] - from;
      const float norm = std::sqrt(dot_row(w + from, w + from, width));
      if (!(norm > 0)) continue;
      along += dot_row(row + from, w + from, width) / norm;
      square += 1;
    }
    if (square > 0) add_normal(row, w, -along / square);
  }

  // The errors that a latent of the main term has to do with: in nested reconstructions those of its prefix.
  const float* errors_of(const Term& term, int64_t i, bool main_term) const {
    if (!main_term || !prefixes) return term.error;
    int64_t block = 0;
    while (i >= prefixes[block]) block++;
    return term.error + block * rows * outputs;
  }

  struct Row {
    float b, log_threshold, r_mag, b_mag;
    float centre;  // Σ ∂z over the entries, with which b_dec and the centring of x go
  };

  // The sums of a gated latent over its entries; ∂w and ∂w_enc are added to `dec` and `enc`.
  Row add_gated_entries(int64_t i, float* dec, float* enc) const {
    constexpr int group = 64;
    const float *errors[group], *inputs[group];
    float cf[group], cz[group];
    const float gain = gate.gain[i], shift = p.b_mag[i];
    double open_sum = 0, magnitude_sum = 0, r = 0;
    for (int64_t e = main.list.start[i], end = main.list.start[i + 1]; e < end;) {
      int n = 0, on = 0;
      for (; e < end && n < group; e++) {
        if (!fires(gate.list->value[e], 0.0f)) continue;
        const int64_t row = main.list.row[e];
        const float m = main.list.value[e];
        const float open = gate.scale * gate.list->dot[e] + gate.l1;
        float dm = 0;
        if (fires(m, 0.0f)) {
          dm = main.scale * main.list.dot[e];
          errors[on] = main.error + row * outputs;
          cf[on++] = main.scale * m;
          magnitude_sum += dm;
          r += double(dm) * (m - shift);
        }
        inputs[n] = x + row * d;
        cz[n++] = gain * dm + open;
        open_sum += open;
      }
      add_rows(dec, errors, cf, on, outputs);
      add_rows(enc, inputs, cz, n, d);
    }
    return {float(open_sum), 0, float(r), float(magnitude_sum), float(gain * magnitude_sum + open_sum)};
  }

  void add_entries(const Term& term, int64_t i, float norm, float theta, bool main_term, float* dec, float* enc,
                   double& b, double& fsum, double& gtheta) const {
    constexpr int group = 64;
    const float *errors[group], *inputs[group];
    float cf[group], cz[group];
    const float l1 = main_term ? s.l1 * norm : 0.0f;
    const bool jump = main_term && s.bandwidth > 0;
    const float* error = errors_of(term, i, main_term);
    for (int64_t e = term.list.start[i], end = term.list.start[i + 1]; e < end;) {
      int n = 0;
      for (; e < end && n < group; e++) {
        const float z = term.list.value[e];
        const float df = term.scale * term.list.dot[e] + l1;
        if (jump && std::fabs(z - theta) < s.bandwidth / 2) gtheta -= (double(theta) * df + s.l0_gradient) / s.bandwidth;
        if (!fires(z, theta)) continue;
        const int64_t row = term.list.row[e];
        errors[n] = error + row * outputs;
        inputs[n] = x + row * d;
        cf[n] = term.scale * z;
        cz[n++] = df;
        b += df;
        fsum += z;
      }
      add_rows(dec, errors, cf, n, outputs);
      add_rows(enc, inputs, cz, n, d);
    }
  }

  // Both gradient rows of latent i.
  Row gradient(int64_t i, float* dec, float* enc) const {
    const float* w = p.w_dec + i * outputs;
    const float norm = s.l1 > 0 ? size_of(w) : 0.0f;
    const float theta = threshold ? threshold[i] : 0.0f;
    double b = 0, fsum = 0, gtheta = 0;
    Row row{};
    if (dense_enc) {
      std::memcpy(dec, dense_dec + i * outputs, outputs * sizeof(float));
      std::memcpy(enc, dense_enc + i * d, d * sizeof(float));
      b = dense_b[i];
      fsum = dense_sum[i];
      gtheta = dense_theta[i];
      if (gate.gain) row = {0, 0, dense_r[i], dense_mag[i], float(gate.gain[i] * dense_mag[i] + b)};
    } else {
      std::fill(dec, dec + outputs, 0.0f);
      std::fill(enc, enc + d, 0.0f);
      if (gate.gain) {
        row = add_gated_entries(i, dec, enc);
        b = row.b;
      } else
        add_entries(main, i, norm, theta, true, dec, enc, b, fsum, gtheta);
    }
    if (aux.present) {
      double unused = 0;
      add_entries(aux, i, 0.0f, 0.0f, false, dec, enc, b, unused, unused);
    }
    if (s.l1 > 0) add_normal(dec, w, s.l1 * fsum);
    row.b = float(b), row.log_threshold = float(gtheta * theta);
    if (!gate.gain) row.centre = row.b;
    if (s.subtract) add_row(enc, p.b_dec, -row.centre, d);
    return row;
  }

  // ∂b_dec; `parts` hold −Σ ∂b_enc,i·w_enc,i of each task.
  void decoder_bias(const float* parts, int64_t tasks, float* out) const {
    thread_local Buffer<float> column_parts;
    constexpr int64_t block = 64;
    const int64_t blocks = (rows + block - 1) / block;
    float* sums = at_least(column_parts, blocks * outputs);
    parallel_for(0, blocks, 1, [&](int64_t first, int64_t last) {
      for (int64_t k = first; k < last; k++) {
        std::fill(sums + k * outputs, sums + (k + 1) * outputs, 0.0f);
        for (int64_t row = k * block; row < std::min(rows, (k + 1) * block); row++)
          add_row(sums + k * outputs, main.error + row * outputs, main.scale, outputs);
      }
    });
    for (int64_t j = 0; j < outputs; j++) {
      double total = 0;
      for (int64_t k = 0; k < blocks; k++) total += sums[k * outputs + j];
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
      float* dec = at_least(rows_buffer, outputs + d);
      float* enc = dec + outputs;
      float* part = parts + first / grain * d;
      std::fill(part, part + d, 0.0f);
      for (int64_t i = first; i < last; i++) {
        const Row row = gradient(i, dec, enc);
        if (s.subtract) add_row(part, p.w_enc + i * d, -row.centre, d);
        use(i, row, dec, enc);
      }
    });
    decoder_bias(parts, tasks, bias_gradient);
  }

  void write(const LazyscopeDictionary& out) const {
    each(out.b_dec, [&](int64_t i, Row row, const float* dec, const float* enc) {
      std::memcpy(out.w_dec + i * outputs, dec, outputs * sizeof(float));
      std::memcpy(out.w_enc + i * d, enc, d * sizeof(float));
      out.b_enc[i] = row.b;
      if (out.log_threshold) out.log_threshold[i] = row.log_threshold;
      if (out.r_mag) out.r_mag[i] = row.r_mag;
      if (out.b_mag) out.b_mag[i] = row.b_mag;
    });
  }

  // A first pass that only adds up squares; it costs the sums of the entries once more, and no memory.
  double norm(float* bias_gradient) const {
    thread_local Buffer<double> squares_buffer;
    double* squares = at_least(squares_buffer, latents);
    each(bias_gradient, [&](int64_t i, Row row, const float* dec, const float* enc) {
      squares[i] = double(dot_row(dec, dec, outputs)) + dot_row(enc, enc, d) + double(row.b) * row.b;
      if (p.log_threshold) squares[i] += double(row.log_threshold) * row.log_threshold;
      if (gate.gain) squares[i] += double(row.r_mag) * row.r_mag + double(row.b_mag) * row.b_mag;
    });
    double total = dot_row(bias_gradient, bias_gradient, outputs);
    for (int64_t i = 0; i < latents; i++) total += squares[i];
    return std::sqrt(total);
  }

  void step() const {
    thread_local Buffer<float> bias_buffer;
    float* bias_gradient = at_least(bias_buffer, outputs);
    double scale = 1;
    if (s.clip > 0) scale = std::min(1.0, s.clip / norm(bias_gradient));
    const float c = float(scale);
    each(bias_gradient, [&](int64_t i, Row row, float* dec, const float* enc) {
      float* w = p.w_dec + i * outputs;
      if (s.unit_norm) remove_normal(dec, w);
      adam_step(s.adam, w, m.w_dec + i * outputs, v.w_dec + i * outputs, dec, c, outputs);
      if (s.unit_norm) {
        const float inverse = 1.0f / std::max(size_of(w), 1e-30f);
        for (int64_t j = 0; j < outputs; j++) w[j] *= inverse;
      }
      adam_step(s.adam, p.w_enc + i * d, m.w_enc + i * d, v.w_enc + i * d, enc, c, d);
      adam_step(s.adam, p.b_enc + i, m.b_enc + i, v.b_enc + i, &row.b, c, 1);
      if (p.log_threshold)
        adam_step(s.adam, p.log_threshold + i, m.log_threshold + i, v.log_threshold + i, &row.log_threshold, c, 1);
      if (gate.gain) {
        adam_step(s.adam, p.r_mag + i, m.r_mag + i, v.r_mag + i, &row.r_mag, c, 1);
        adam_step(s.adam, p.b_mag + i, m.b_mag + i, v.b_mag + i, &row.b_mag, c, 1);
      }
    });
    adam_step(s.adam, p.b_dec, m.b_dec, v.b_dec, bias_gradient, c, outputs);
  }
};

thread_local EntryBuffers main_entries, aux_entries, gate_entries;

Update update_from(const LazyscopeUpdate& in) {
  Update update{};
  update.latents = in.latents, update.d = in.d, update.outputs = in.outputs, update.rows = in.rows;
  update.p = in.parameters, update.m = in.first;
  if (in.second) update.v = *in.second;
  update.x = in.x, update.threshold = in.threshold;
  update.s = {float(in.scale), float(in.aux_scale), float(in.l1), float(in.bandwidth), float(in.l0_gradient),
              {in.rate, in.beta1, in.beta2, in.epsilon, in.root}, in.clip, in.subtracts_decoder_bias != 0,
              in.unit_norm != 0};
  update.prefixes = in.prefixes;
  update.blocks = in.blocks, update.block_count = in.block_count;
  if (in.gate) update.gate = {nullptr, in.gate->gain, float(in.gate->scale), float(in.gate->l1)};
  return update;
}

void finish(const Update& update, bool write_gradient) {
  if (write_gradient) update.write(update.m);
  else update.step();
}

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

void lazyscope_sparse_update(const LazyscopeUpdate* request, const LazyscopeTerm* main, const LazyscopeTerm* auxiliary) {
  Update update = update_from(*request);
  const int64_t rows = update.rows, latents = update.latents;
  auto term = [&](EntryBuffers& buffers, const LazyscopeTerm& t, float scale) -> Term {
    return {true, by_latent(buffers, t.row_start, t.indices, t.values, t.dots, rows, latents), t.error, scale};
  };
  update.main = term(main_entries, *main, update.s.scale);
  if (auxiliary) update.aux = term(aux_entries, *auxiliary, update.s.aux_scale);
  ByLatent of_gate{};
  if (const LazyscopeGate* gate = request->gate) {
    of_gate = by_latent(gate_entries, main->row_start, main->indices, gate->values, gate->dots, rows, latents);
    update.gate.list = &of_gate;
  }
  finish(update, request->write_gradient != 0);
}

void lazyscope_dense_update(const LazyscopeUpdate* request, float* z, float* dots, const float* error) {
  Update update = update_from(*request);
  const Settings& s = update.s;
  const int64_t rows = update.rows, d = update.d, outputs = update.outputs, latents = update.latents;
  const float *w_dec = update.p.w_dec, *threshold = update.threshold, *x = update.x;
  thread_local Buffer<float> buffer;
  float* enc = at_least(buffer, latents * (d + outputs) + 6 * latents);
  float* dec = enc + latents * d;
  float *b = dec + latents * outputs, *sums = b + latents, *theta_gradient = sums + latents, *norms = theta_gradient + latents;
  float *r_gradient = norms + latents, *magnitudes = r_gradient + latents;
  if (s.l1 > 0)
    parallel_for(0, latents, 64, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; i++) norms[i] = update.size_of(w_dec + i * outputs);
    });
  else
    std::fill(norms, norms + latents, 0.0f);
  parallel_for(0, latents, columns_together, [&](int64_t first, int64_t last) {
    std::fill(b + first, b + last, 0.0f);
    std::fill(sums + first, sums + last, 0.0f);
    std::fill(theta_gradient + first, theta_gradient + last, 0.0f);
    std::fill(r_gradient + first, r_gradient + last, 0.0f);
    std::fill(magnitudes + first, magnitudes + last, 0.0f);
    if (const LazyscopeGate* gate = request->gate) {
      const float *b_mag = update.p.b_mag, scale = update.gate.scale, l1 = update.gate.l1;
      for (int64_t row = 0; row < rows; row++) {
        float *m_row = z + row * latents, *dot_row_ = dots + row * latents;
        const float *gate_row = gate->values + row * latents, *gate_dots = gate->dots + row * latents;
        for (int64_t i = first; i < last; i++) {
          const bool open = fires(gate_row[i], 0.0f), on = open && fires(m_row[i], 0.0f);
          const float f = on ? m_row[i] : 0.0f, dm = on ? s.scale * dot_row_[i] : 0.0f;
          const float dg = open ? scale * gate_dots[i] + l1 : 0.0f;
          b[i] += dg;
          magnitudes[i] += dm;
          r_gradient[i] += on ? dm * (f - b_mag[i]) : 0.0f;
          m_row[i] = f;
          dot_row_[i] = gate->gain[i] * dm + dg;
        }
      }
      return;
    }
    const float half = s.bandwidth / 2, inverse = s.bandwidth > 0 ? 1 / s.bandwidth : 0.0f;
    for (int64_t row = 0; row < rows; row++) {
      float *z_row = z + row * latents, *dot_row_ = dots + row * latents;
      for (int64_t i = first; i < last; i++) {
        const float theta = threshold ? threshold[i] : 0.0f;
        const float value = z_row[i], df = s.scale * dot_row_[i] + s.l1 * norms[i];
        const bool on = fires(value, theta);
        const float f = on ? value : 0.0f, dz = on ? df : 0.0f;
        theta_gradient[i] -= std::fabs(value - theta) < half ? (theta * df + s.l0_gradient) * inverse : 0.0f;
        b[i] += dz;
        sums[i] += f;
        z_row[i] = f;
        dot_row_[i] = dz;
      }
    }
  });
  product(latents, outputs, rows, {z, latents, true}, {error, outputs, false}, {dec, outputs, s.scale, 0.0f, nullptr, false});
  product(latents, d, rows, {dots, latents, true}, {x, d, false}, {enc, d, 1.0f, 0.0f, nullptr, false});
  update.main.error = error, update.main.scale = s.scale;
  update.dense_enc = enc, update.dense_dec = dec, update.dense_b = b, update.dense_sum = sums;
  update.dense_theta = theta_gradient, update.dense_r = r_gradient, update.dense_mag = magnitudes;
  finish(update, request->write_gradient != 0);
}
}
