// vector_store.cpp - see vector_store.h.
#include "daemon/index/vector_store.h"

#include <cassert>
#include <cstring>
#include <string>

#include "daemon/base/mapped_file.h"
#include "daemon/kernel/distance.h"
#include "shared/limits.h"

namespace vectord {
namespace {

Status CheckSizes(size_t dimensions, size_t rows) {
  if (dimensions < 1 || dimensions > VFDW_MAX_DIMENSIONS) {
    return Status(ErrorCode::INVALID_VECTOR,
                  "vectors cannot have " + std::to_string(dimensions) + " dimensions",
                  "The bounds are 1 and " + std::to_string(VFDW_MAX_DIMENSIONS) + ".");
  }
  if (rows > VectorStore::kMaxRows) {
    return Status(ErrorCode::LIMIT_EXCEEDED,
                  "one segment cannot hold " + std::to_string(rows) + " rows",
                  "The bound is " + std::to_string(VectorStore::kMaxRows) + ".");
  }
  return {};
}

}  // namespace

// Whole cache lines; below one line the next power of two, so that no row lies across two.
size_t VectorStore::StrideFor(size_t dimensions) {
  constexpr size_t kLine = 16;
  if (dimensions >= kLine) return (dimensions + kLine - 1) / kLine * kLine;
  size_t stride = 1;
  while (stride < dimensions) stride *= 2;
  return stride;
}

size_t VectorStore::BytesFor(size_t rows, size_t dimensions) {
  return PageBuffer::RoundedUp(rows * StrideFor(dimensions) * sizeof(float)) +
         PageBuffer::RoundedUp(rows * sizeof(float)) + sizeof(VectorStore);
}

VectorStore::VectorStore(size_t dimensions, size_t capacity, MemoryReservation reservation)
    : dimensions_(dimensions),
      stride_(StrideFor(dimensions)),
      capacity_(capacity),
      reservation_(std::move(reservation)) {}

Result<std::unique_ptr<VectorStore>> VectorStore::Create(size_t dimensions, size_t capacity,
                                                         MemoryReservation reservation) {
  VFDW_RETURN_IF_ERROR(CheckSizes(dimensions, capacity));
  std::unique_ptr<VectorStore> store(new VectorStore(dimensions, capacity, std::move(reservation)));
  VFDW_ASSIGN_OR_RETURN(store->rows_,
                        PageBuffer::Create(capacity * store->stride_ * sizeof(float)));
  VFDW_ASSIGN_OR_RETURN(store->norms_, PageBuffer::Create(capacity * sizeof(float)));
  store->data_ = store->rows_.as<float>();
  return store;
}

Result<std::unique_ptr<const VectorStore>> VectorStore::Over(size_t dimensions, size_t rows,
                                                             const float* vectors, PageBuffer norms,
                                                             std::shared_ptr<const void> owner,
                                                             bool in_memory,
                                                             MemoryReservation reservation) {
  VFDW_RETURN_IF_ERROR(CheckSizes(dimensions, rows));
  assert(norms.bytes() >= rows * sizeof(float));
  std::unique_ptr<VectorStore> store(new VectorStore(dimensions, rows, std::move(reservation)));
  store->size_.store(rows, std::memory_order_release);
  store->norms_ = std::move(norms);
  store->data_ = vectors;
  store->owner_ = std::move(owner);
  if (in_memory)
    store->borrowed_memory_bytes_ = PageBuffer::RoundedUp(rows * store->stride_ * sizeof(float));
  return std::unique_ptr<const VectorStore>(std::move(store));
}

Result<size_t> VectorStore::AppendBatch(const float* vectors, size_t count) {
  size_t first = size_.load(std::memory_order_relaxed);
  do {
    if (count > capacity_ - first) {
      return Status(ErrorCode::INTERNAL, "more rows arrived than were counted before",
                    "There is room for " + std::to_string(capacity_) + " rows, of which " +
                        std::to_string(first) + " are taken; " + std::to_string(count) +
                        " more came.");
    }
  } while (!size_.compare_exchange_weak(first, first + count, std::memory_order_acq_rel));

  const auto squared_norm = ActiveKernels().ip.one;
  float* const norms = norms_.as<float>();
  for (size_t i = 0; i < count; i++) {
    const float* const vector = vectors + i * dimensions_;
    memcpy(mutable_row(first + i), vector, dimensions_ * sizeof(float));
    norms[first + i] = squared_norm(vector, vector, dimensions_);
  }
  return first;
}

void VectorStore::Trim() {
  assert(owner_ == nullptr);
  capacity_ = size();
  rows_.Shrink(capacity_ * stride_ * sizeof(float));
  norms_.Shrink(capacity_ * sizeof(float));
  data_ = rows_.as<float>();
  if (reservation_.bytes() > memory_bytes()) {
    [[maybe_unused]] const Status shrunk = reservation_.Resize(memory_bytes());
    assert(shrunk.ok());
  }
}

Status VectorStore::MoveToFile(const std::string& path, uint64_t offset) const {
  const size_t bytes = PageBuffer::RoundedUp(size() * stride_ * sizeof(float));
  if (owner_ != nullptr || bytes_in_file_ != 0 || bytes == 0) return {};
  VFDW_RETURN_IF_ERROR(MoveMemoryToFile(data_, bytes, path, offset));
  bytes_in_file_ = bytes;
  if (reservation_.bytes() > memory_bytes()) return reservation_.Resize(memory_bytes());
  return {};
}

void VectorStore::Permute(const std::vector<uint32_t>& old_row) {
  assert(old_row.size() == size() && owner_ == nullptr);
  const size_t row_bytes = stride_ * sizeof(float);
  float* const norms = norms_.as<float>();
  std::vector<float> saved_row(stride_);
  std::vector<bool> placed(old_row.size());
  // Each cycle of the permutation: save its first row, pull the others along, put it down.
  for (size_t start = 0; start < old_row.size(); start++) {
    if (placed[start]) continue;
    memcpy(saved_row.data(), row(start), row_bytes);
    const float saved_norm = norms[start];
    size_t to = start;
    for (size_t from = old_row[to]; from != start; to = from, from = old_row[to]) {
      memcpy(mutable_row(to), row(from), row_bytes);
      norms[to] = norms[from];
      placed[to] = true;
    }
    memcpy(mutable_row(to), saved_row.data(), row_bytes);
    norms[to] = saved_norm;
    placed[to] = true;
  }
}

}  // namespace vectord
