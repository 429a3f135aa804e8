// vector_store.h - the raw float32 vectors of one segment, in one matrix.
//
// Row-major; a row starts at a multiple of 64 bytes (short rows: at a multiple of their own
// rounded size) and is padded with zeros. Beside it stands each row's squared norm. Every index
// reads rows here and none copies them.
//
// Memory: a store that was written to a file may give its rows' memory back and read them from
// there (MoveToFile), while it is searched.
//
// Life: filled (AppendBatch, Trim), perhaps reordered once by the builder of an index (Permute),
// then shared and never changed again. Or made over rows that exist already, in a mapped file
// (Over), and shared at once.
//
// Threads: any number may append at once, each filling rows of its own. Reading starts when all
// appends have returned; from then on any number may read.
//
// Memory: the caller reserves BytesFor() and hands the reservation over; the store holds it for
// as long as the memory.
#ifndef VECTOR_FDW_DAEMON_INDEX_VECTOR_STORE_H
#define VECTOR_FDW_DAEMON_INDEX_VECTOR_STORE_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/memory_budget.h"
#include "daemon/base/status.h"
#include "daemon/index/page_buffer.h"

namespace vectord {

class VectorStore {
 public:
  // Row numbers have 31 bits: graph walks keep a mark in the 32nd.
  static constexpr size_t kMaxRows = 0x7fffffff;

  // What a store of this capacity occupies.
  static size_t BytesFor(size_t rows, size_t dimensions);

  // An empty store with room for exactly `capacity` rows. Tests may leave out the reservation.
  static Result<std::unique_ptr<VectorStore>> Create(size_t dimensions, size_t capacity,
                                                     MemoryReservation reservation = {});

  // A full store over rows that stand, with the stride of this dimension, in memory that `owner`
  // keeps and nobody writes to. norms: a float for each row.
  // reservation: for the rows too when they are in memory, and then memory_bytes() counts them; for
  // the norms alone when they are on disk.
  // REQUIRES: vectors is aligned as a row of that stride must be; bytes of norms suffice.
  static Result<std::unique_ptr<const VectorStore>> Over(size_t dimensions, size_t rows,
                                                         const float* vectors, PageBuffer norms,
                                                         std::shared_ptr<const void> owner,
                                                         bool in_memory,
                                                         MemoryReservation reservation);
  // Elements from one row to the next in a store of that dimension. On disk: never changes.
  static size_t StrideFor(size_t dimensions);

  // Adds count vectors of dimensions() elements, one after the other. Returns the row number of
  // the first; the others follow it. Refuses, adding nothing, when they do not fit.
  Result<size_t> AppendBatch(const float* vectors, size_t count);

  // Gives back the memory of rows that never came, and its share of the reservation.
  void Trim();

  // Row i becomes what was row old_row[i]. In place, with one row of scratch.
  // REQUIRES: old_row is a permutation of all rows; nobody else is reading.
  void Permute(const std::vector<uint32_t>& old_row);

  // Has the rows be read from this file, which holds them at offset as they stand in memory, and
  // gives back their memory and its share of the reservation. On error nothing changed.
  // REQUIRES: filled and shared; one thread at a time. Others may read.
  Status MoveToFile(const std::string& path, uint64_t offset) const;

  size_t dimensions() const { return dimensions_; }
  // Elements from one row to the next.
  size_t stride() const { return stride_; }
  size_t size() const { return size_.load(std::memory_order_acquire); }
  size_t capacity() const { return capacity_; }
  const float* data() const { return data_; }
  const float* row(size_t i) const { return data() + i * stride_; }
  // By vfdw_sum_ip of the row with itself.
  const float* squared_norms() const { return norms_.as<float>(); }
  size_t memory_bytes() const {
    return rows_.bytes() - bytes_in_file_.load(std::memory_order_relaxed) + borrowed_memory_bytes_ +
           norms_.bytes() + sizeof(*this);
  }

 private:
  VectorStore(size_t dimensions, size_t capacity, MemoryReservation reservation);
  float* mutable_row(size_t i) { return rows_.as<float>() + i * stride_; }

  const size_t dimensions_;
  const size_t stride_;
  size_t capacity_;
  std::atomic<size_t> size_{0};  // rows handed out to appends; all filled once they returned
  PageBuffer rows_;              // empty: the rows are owner_'s
  PageBuffer norms_;
  const float* data_ = nullptr;
  std::shared_ptr<const void> owner_;
  size_t borrowed_memory_bytes_ = 0;  // of owner_'s, when they are memory and not a file
  // Where the rows lie is no part of the store's value, so MoveToFile() is const.
  mutable std::atomic<size_t> bytes_in_file_{0};  // of rows_, no memory any more
  mutable MemoryReservation reservation_;
};

}  // namespace vectord

#endif
