#include "product.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "workers.h"

namespace lazyscope {
namespace {

// A tile of 16 rows and 6 columns of D is summed in registers over all of k; the panels of A and B that it reads lie in the
// order in which it reads them.
constexpr int64_t tileRows = 16, tileColumns = 6;
typedef float Eight __attribute__((vector_size(32)));

float fromBf16(uint16_t bits) {
  const uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

uint16_t toBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return uint16_t(bits >> 16 | 0x40u);
  return uint16_t((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/** Rounds to the 10 bits of mantissa that tf32 has, to nearest with ties away from zero. */
float toTf32(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if ((bits & 0x7f800000u) == 0x7f800000u) return value;
  bits = (bits + 0x1000u) & 0xffffe000u;
  std::memcpy(&value, &bits, 4);
  return value;
}

/** Element (row, column) of the matrix or of its transpose. */
struct Reader {
  const Matrix& matrix;
  bool transposed, tf32;
  int64_t base;
  float operator()(int64_t row, int64_t column) const {
    const int64_t at = base + (transposed ? column + row * matrix.leading : row + column * matrix.leading);
    if (matrix.bf16) return fromBf16(static_cast<const uint16_t*>(matrix.data)[at]);
    const float value = static_cast<const float*>(matrix.data)[at];
    return tf32 ? toTf32(value) : value;
  }
};

/** [panels][k][width], filled up with zeros; `element(i, l)` for i along the panels. */
template <class Element>
std::vector<float> packed(int64_t count, int64_t k, int64_t width, const Element& element) {
  const int64_t panels = (count + width - 1) / width;
  std::vector<float> result(size_t(panels * k * width));
  inParallel(size_t(panels), [&](size_t panel) {
    float* to = result.data() + int64_t(panel) * k * width;
    for (int64_t l = 0; l < k; l++)
      for (int64_t i = 0; i < width; i++) {
        const int64_t at = int64_t(panel) * width + i;
        *to++ = at < count ? element(at, l) : 0.0f;
      }
  });
  return result;
}

void tile(const float* a, const float* b, int64_t k, float (&sums)[tileColumns][tileRows]) {
  Eight s[tileColumns][2] = {};
  for (int64_t l = 0; l < k; l++, a += tileRows, b += tileColumns) {
    Eight low, high;
    std::memcpy(&low, a, 32);
    std::memcpy(&high, a + 8, 32);
    for (int64_t j = 0; j < tileColumns; j++) {
      s[j][0] += low * b[j];
      s[j][1] += high * b[j];
    }
  }
  std::memcpy(sums, s, sizeof s);
}

void one(const ProductRequest& r, int64_t number) {
  const int64_t m = r.d.rows, n = r.d.columns, k = r.transposeA ? r.a.rows : r.a.columns;
  const Reader readA{r.a, r.transposeA, r.tf32, number * r.a.stride};
  const Reader readB{r.b, r.transposeB, r.tf32, number * r.b.stride};
  const auto a = packed(m, k, tileRows, [&](int64_t i, int64_t l) { return readA(i, l); });
  const auto b = packed(n, k, tileColumns, [&](int64_t j, int64_t l) { return readB(l, j); });
  const int64_t panelsA = (m + tileRows - 1) / tileRows, panelsB = (n + tileColumns - 1) / tileColumns;
  const Reader readC{r.c, false, false, number * r.c.stride};
  inParallel(size_t(panelsB), [&](size_t panel) {
    float sums[tileColumns][tileRows];
    const int64_t column = int64_t(panel) * tileColumns;
    for (int64_t p = 0; p < panelsA; p++) {
      tile(a.data() + p * k * tileRows, b.data() + int64_t(panel) * k * tileColumns, k, sums);
      const int64_t row = p * tileRows;
      for (int64_t j = 0; j < std::min(tileColumns, n - column); j++)
        for (int64_t i = 0; i < std::min(tileRows, m - row); i++) {
          // With beta 0, C is not read: it may hold anything.
          float value = r.alpha * sums[j][i];
          if (r.beta != 0.0f) value += r.beta * readC(row + i, column + j);
          const int64_t at = number * r.d.stride + row + i + (column + j) * r.d.leading;
          if (r.d.bf16) static_cast<uint16_t*>(r.d.data)[at] = toBf16(value);
          else static_cast<float*>(r.d.data)[at] = value;
        }
    }
  });
}

}  // namespace

void multiply(const ProductRequest& request) {
  for (int64_t i = 0; i < request.batch; i++) one(request, i);
}

}  // namespace lazyscope
