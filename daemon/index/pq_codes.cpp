// pq_codes.cpp - see pq_codes.h.
#include "daemon/index/pq_codes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include "daemon/base/thread_pool.h"

namespace vectord {
namespace {

// Rows that centroids are found on, 32 for each; more refine them little.
constexpr size_t kSampledRows = 32 * PqCodes::kCentroids;
constexpr int kIterations = 8;

size_t PartsOf(size_t dimensions) {
  return (dimensions + PqCodes::kPartDimensions - 1) / PqCodes::kPartDimensions;
}

}  // namespace

PqCodes::PqCodes(vfdw_metric metric, size_t rows, size_t dimensions)
    : metric_(metric), rows_(rows), dimensions_(dimensions), parts_(PartsOf(dimensions)) {}

size_t PqCodes::EndOf(size_t part) const {
  return std::min(dimensions_, FirstOf(part) + kPartDimensions);
}

size_t PqCodes::BytesFor(size_t rows, size_t dimensions) {
  return sizeof(PqCodes) + dimensions * kCentroids * sizeof(float) +
         PageBuffer::RoundedUp(rows * PartsOf(dimensions));
}

size_t PqCodes::BytesToMake(size_t rows, size_t dimensions, int threads) {
  const size_t each_thread = kSampledRows + (kPartDimensions + 2) * kCentroids * sizeof(float);
  return std::min(rows, kSampledRows) * dimensions * sizeof(float) +
         each_thread * static_cast<size_t>(threads);
}

// The centroid of the part nearest to the elements. distances: scratch for each centroid.
uint8_t PqCodes::Nearest(size_t part, const float* elements, float* distances) const {
  std::fill(distances, distances + kCentroids, 0.0f);
  for (size_t d = FirstOf(part); d < EndOf(part); d++) {
    const float element = elements[d - FirstOf(part)];
    const float* const coordinates = Coordinates(d);
    for (size_t c = 0; c < kCentroids; c++) {
      const float difference = element - coordinates[c];
      distances[c] += difference * difference;
    }
  }
  return static_cast<uint8_t>(std::min_element(distances, distances + kCentroids) - distances);
}

// Lloyd's algorithm. Centroids without points stay where they began, at a point of the sample.
void PqCodes::TrainPart(size_t part, const std::vector<float>& sample, size_t points) {
  const size_t first = FirstOf(part), width = EndOf(part) - first;
  std::mt19937 random(static_cast<uint32_t>(part));
  for (size_t c = 0; c < kCentroids; c++) {
    const float* const point = sample.data() + random() % points * dimensions_ + first;
    for (size_t d = 0; d < width; d++) centroids_[(first + d) * kCentroids + c] = point[d];
  }
  std::vector<float> distances(kCentroids), sums(width * kCentroids), counts(kCentroids);
  for (int iteration = 0; iteration < kIterations; iteration++) {
    std::fill(sums.begin(), sums.end(), 0.0f);
    std::fill(counts.begin(), counts.end(), 0.0f);
    for (size_t i = 0; i < points; i++) {
      const float* const point = sample.data() + i * dimensions_ + first;
      const uint8_t c = Nearest(part, point, distances.data());
      counts[c]++;
      for (size_t d = 0; d < width; d++) sums[d * kCentroids + c] += point[d];
    }
    for (size_t c = 0; c < kCentroids; c++)
      for (size_t d = 0; counts[c] > 0 && d < width; d++)
        centroids_[(first + d) * kCentroids + c] = sums[d * kCentroids + c] / counts[c];
  }
}

Result<std::shared_ptr<const PqCodes>> PqCodes::Make(vfdw_metric metric, const VectorStore& store,
                                                     const BuildControl& control) {
  std::shared_ptr<PqCodes> codes(new PqCodes(metric, store.size(), store.dimensions()));
  const size_t dimensions = store.dimensions(), parts = codes->parts_;
  VFDW_ASSIGN_OR_RETURN(codes->codes_, PageBuffer::Create(store.size() * parts));
  codes->centroids_.resize(dimensions * kCentroids);

  const std::vector<uint32_t> chosen = SpreadSample(store.size(), kSampledRows);
  std::vector<float> sample;
  sample.reserve(chosen.size() * dimensions);
  for (const uint32_t row : chosen)
    for (size_t i = 0; i < dimensions; i++)
      sample.push_back(store.row(row)[i] * UnitFactor(metric, store, row));
  const auto train = [&](size_t begin, size_t end, int) {
    for (size_t part = begin; part < end; part++) codes->TrainPart(part, sample, chosen.size());
  };
  VFDW_RETURN_IF_ERROR(ParallelFor(control.threads, parts, /*grain=*/1, train, control.cancelled));

  const auto encode = [&](size_t begin, size_t end, int) {
    std::vector<float> elements(dimensions), distances(kCentroids);
    for (size_t row = begin; row < end; row++) {
      const float factor = UnitFactor(metric, store, row);
      for (size_t i = 0; i < dimensions; i++) elements[i] = store.row(row)[i] * factor;
      for (size_t part = 0; part < parts; part++)
        codes->codes_.as<uint8_t>()[row * parts + part] =
            codes->Nearest(part, elements.data() + codes->FirstOf(part), distances.data());
    }
  };
  constexpr size_t kRowsAtOnce = 256;
  VFDW_RETURN_IF_ERROR(
      ParallelFor(control.threads, store.size(), kRowsAtOnce, encode, control.cancelled));
  return std::shared_ptr<const PqCodes>(std::move(codes));
}

Status PqCodes::Write(ByteSink* sink) const {
  const uint64_t parts = parts_;
  VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(&parts, 1)));
  VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(centroids_.data(), centroids_.size())));
  return sink->Append(BytesOf(codes_.as<uint8_t>(), rows_ * parts_));
}

Result<std::shared_ptr<const PqCodes>> PqCodes::Read(vfdw_metric metric, const VectorStore& store,
                                                     ByteSource* source) {
  std::shared_ptr<PqCodes> codes(new PqCodes(metric, store.size(), store.dimensions()));
  uint64_t parts = 0;
  VFDW_RETURN_IF_ERROR(ReadNumber(source, &parts));
  const size_t bytes = codes->rows_ * codes->parts_;
  const Status damaged(ErrorCode::CORRUPT, "the data are no index", "Its codes are damaged.");
  if (parts != codes->parts_) return damaged;
  VFDW_RETURN_IF_ERROR(
      ReadItems<float>(source, codes->dimensions_ * kCentroids, &codes->centroids_));
  if (source->remaining() < bytes) return damaged;
  VFDW_ASSIGN_OR_RETURN(codes->codes_, PageBuffer::Create(bytes));
  VFDW_RETURN_IF_ERROR(source->Read(codes->codes_.as<uint8_t>(), bytes));
  return std::shared_ptr<const PqCodes>(std::move(codes));
}

PqCodes::Query::Query(const PqCodes& codes, const float* query)
    : codes_(codes.codes_.as<uint8_t>()), parts_(codes.parts_), keys_(codes.parts_ * kCentroids) {
  for (size_t part = 0; part < parts_; part++) {
    float* const keys = keys_.data() + part * kCentroids;
    for (size_t d = codes.FirstOf(part); d < codes.EndOf(part); d++) {
      const float* const coordinates = codes.Coordinates(d);
      const float element = query[d];
      switch (codes.metric_) {
        case VFDW_METRIC_L2:
          for (size_t c = 0; c < kCentroids; c++) {
            const float difference = element - coordinates[c];
            keys[c] += difference * difference;
          }
          break;
        case VFDW_METRIC_L1:
          for (size_t c = 0; c < kCentroids; c++) keys[c] += std::fabs(element - coordinates[c]);
          break;
        case VFDW_METRIC_IP:
        case VFDW_METRIC_COSINE:
          for (size_t c = 0; c < kCentroids; c++) keys[c] -= element * coordinates[c];
          break;
      }
    }
  }
}

void PqCodes::Query::Keys(const uint32_t* rows, size_t count, float* keys) const {
  for (size_t i = 0; i < count; i++) {
    const uint8_t* const code = codes_ + static_cast<size_t>(rows[i]) * parts_;
    const float* of_part = keys_.data();
    // Additions that do not wait for each other.
    float sums[4] = {};
    size_t part = 0;
    for (; part + 4 <= parts_; part += 4, of_part += 4 * kCentroids)
      for (size_t j = 0; j < 4; j++) sums[j] += of_part[j * kCentroids + code[part + j]];
    for (; part < parts_; part++, of_part += kCentroids) sums[0] += of_part[code[part]];
    keys[i] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    // Sums of huge elements can overflow to NaN, which must not upset the order of the beam.
    if (keys[i] != keys[i]) keys[i] = std::numeric_limits<float>::infinity();
  }
}

}  // namespace vectord
