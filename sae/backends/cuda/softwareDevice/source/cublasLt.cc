#include "cublasLt.h"

#include <cstring>
#include <string>

#include "errors.h"
#include "memory.h"
#include "product.h"
#include "streams.h"

using namespace lazyscope;

struct cublasLtContext {};
struct cublasLtMatmulDescOpaque {
  int computeType, scaleType;
  int transposeA = 0, transposeB = 0;
};
struct cublasLtMatrixLayoutOpaque {
  int type;
  int64_t rows, columns, leading;
  int batch = 1;
  int64_t stride = 0;
};
struct cublasLtMatmulPreferenceOpaque {
  size_t workspaceBytes = 0;
  uint32_t alignments[4] = {256, 256, 256, 256};
};

namespace {

enum : cublasStatus_t { success = 0, invalidValue = 7, executionFailed = 13, notSupported = 15 };
enum : int { f32 = 0, bf16 = 14 };                             // cudaDataType
enum : int { compute32 = 68, compute32Strict = 69, computeTf32 = 77 };  // cublasComputeType_t

/** Marks an algorithm that cublasLtMatmulAlgoGetHeuristic gave. */
constexpr uint64_t algorithmMark = 0x4c617a7953636f70;

int bytesOf(int type) { return type == bf16 ? 2 : 4; }

template <class T>
cublasStatus_t read(T& to, const void* value, size_t bytes) {
  if (bytes != sizeof(T)) return invalidValue;
  std::memcpy(&to, value, sizeof(T));
  return success;
}

/** Whether the shapes fit together and the library has the product. */
cublasStatus_t check(const cublasLtMatmulDescOpaque& desc, const cublasLtMatrixLayoutOpaque& a,
                     const cublasLtMatrixLayoutOpaque& b, const cublasLtMatrixLayoutOpaque& c,
                     const cublasLtMatrixLayoutOpaque& d) {
  for (const auto* layout : {&a, &b, &c, &d})
    if (layout->leading < layout->rows || layout->batch != d.batch) return invalidValue;
  const int64_t m = desc.transposeA ? a.columns : a.rows, kA = desc.transposeA ? a.rows : a.columns;
  const int64_t n = desc.transposeB ? b.rows : b.columns, kB = desc.transposeB ? b.columns : b.rows;
  if (kA != kB || d.rows != m || d.columns != n || c.rows != m || c.columns != n) return invalidValue;
  const bool computes = desc.computeType == compute32 || desc.computeType == compute32Strict ||
                        (desc.computeType == computeTf32 && a.type == f32);
  return computes && desc.scaleType == f32 && a.type == b.type && c.type == d.type &&
                 (a.type == bf16 || d.type == f32)
             ? success
             : notSupported;
}

Matrix matrix(const void* data, const cublasLtMatrixLayoutOpaque& layout) {
  return {const_cast<void*>(data), layout.type == bf16, layout.rows, layout.columns, layout.leading, layout.stride};
}

/** Empty, or how the matrix leaves the device's memory. */
std::string outside(const char* name, const void* data, const cublasLtMatrixLayoutOpaque& layout) {
  const int64_t elements =
      (layout.batch - 1) * layout.stride + (layout.columns - 1) * layout.leading + layout.rows;
  const auto address = CUdeviceptr(data);
  if (address % unsigned(bytesOf(layout.type)) != 0) return std::string(name) + " lies at an odd address";
  const std::string wrong = outsideMemory(address, size_t(elements) * size_t(bytesOf(layout.type)));
  return wrong.empty() ? "" : std::string(name) + " takes " + wrong;
}

}  // namespace

size_t cublasLtGetVersion() { return 120804; }

const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case success: return "CUBLAS_STATUS_SUCCESS";
    case invalidValue: return "CUBLAS_STATUS_INVALID_VALUE";
    case executionFailed: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case notSupported: return "CUBLAS_STATUS_NOT_SUPPORTED";
    default: return "unknown status";
  }
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = new cublasLtContext();
  return success;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return success;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, int computeType, int scaleType) {
  *desc = new cublasLtMatmulDescOpaque{computeType, scaleType};
  return success;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete desc;
  return success;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, int attribute, const void* value,
                                              size_t bytes) {
  if (attribute != 3 && attribute != 4) return notSupported;  // CUBLASLT_MATMUL_DESC_TRANSA, _TRANSB
  int operation = 0;
  if (read(operation, value, bytes) != success || operation < 0 || operation > 1) return invalidValue;
  (attribute == 3 ? desc->transposeA : desc->transposeB) = operation;
  return success;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, int type, uint64_t rows, uint64_t columns,
                                          int64_t leading) {
  if (type != f32 && type != bf16) return notSupported;
  *layout = new cublasLtMatrixLayoutOpaque{type, int64_t(rows), int64_t(columns), leading};
  return success;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return success;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout, int attribute, const void* value,
                                                size_t bytes) {
  if (attribute == 5) return read(layout->batch, value, bytes);   // CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT
  if (attribute == 6) return read(layout->stride, value, bytes);  // CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET
  return notSupported;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new cublasLtMatmulPreferenceOpaque();
  return success;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return success;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference, int attribute,
                                                    const void* value, size_t bytes) {
  if (attribute == 1) return read(preference->workspaceBytes, value, bytes);  // _MAX_WORKSPACE_BYTES
  if (attribute >= 5 && attribute <= 8) return read(preference->alignments[attribute - 5], value, bytes);
  return notSupported;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                              cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference,
                                              int wanted, HeuristicResult* results, int* found) {
  *found = 0;
  if (wanted < 1) return invalidValue;
  if (const cublasStatus_t wrong = check(*desc, *a, *b, *c, *d)) return wrong;
  *results = {};
  // The algorithm holds for the alignments it was chosen for.
  results->algorithm[0] = algorithmMark;
  for (int i = 0; i < 4; i++) results->algorithm[1 + i] = preference->alignments[i];
  *found = 1;
  return success;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t layoutA, const void* b, cublasLtMatrixLayout_t layoutB,
                              const void* beta, const void* c, cublasLtMatrixLayout_t layoutC, void* d,
                              cublasLtMatrixLayout_t layoutD, const uint64_t* algorithm, void* workspace,
                              size_t workspaceBytes, CUstream stream) {
  if (const cublasStatus_t wrong = check(*desc, *layoutA, *layoutB, *layoutC, *layoutD)) return wrong;
  if (algorithm && algorithm[0] != algorithmMark) return invalidValue;
  const void* data[4] = {a, b, c, d};
  for (int i = 0; algorithm && i < 4; i++)
    if (CUdeviceptr(data[i]) % algorithm[1 + i] != 0) {
      fail(CUDA_ERROR_INVALID_VALUE, "cublasLtMatmul with an operand less aligned than its algorithm was chosen for");
      return notSupported;
    }
  if (workspaceBytes && !outsideMemory(CUdeviceptr(workspace), workspaceBytes).empty()) return invalidValue;
  ProductRequest request{matrix(a, *layoutA), matrix(b, *layoutB), matrix(c, *layoutC), matrix(d, *layoutD),
                         desc->transposeA != 0, desc->transposeB != 0, desc->computeType == computeTf32,
                         layoutD->batch, 0, 0};
  std::memcpy(&request.alpha, alpha, 4);
  std::memcpy(&request.beta, beta, 4);
  const CUresult queued = enqueue(stream, [=, la = *layoutA, lb = *layoutB, lc = *layoutC, ld = *layoutD] {
    std::string wrong = outside("A", a, la);
    if (wrong.empty()) wrong = outside("B", b, lb);
    if (wrong.empty() && request.beta != 0.0f) wrong = outside("C", c, lc);
    if (wrong.empty()) wrong = outside("D", d, ld);
    if (!wrong.empty()) return failForGood(CUDA_ERROR_ILLEGAL_ADDRESS, "cublasLtMatmul: " + wrong);
    multiply(request);
    return CUresult(CUDA_SUCCESS);
  });
  return queued == CUDA_SUCCESS ? success : executionFailed;
}
