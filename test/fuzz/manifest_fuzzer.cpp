// manifest_fuzzer.cpp - any bytes as a manifest, as they are and behind a right checksum.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "daemon/base/checksum.h"
#include "daemon/storage/manifest.h"

namespace vectord {
namespace {

// What was accepted is written again as the same bytes.
void Read(const std::string& bytes) {
  const Result<Manifest> manifest = ReadManifest(bytes);
  if (manifest.ok() && WriteManifest(*manifest) != bytes) abort();
  if (!manifest.ok() && manifest.status().code() != ErrorCode::CORRUPT) abort();
}

std::string WithHeader(const std::string& body) {
  ManifestHeader header = {};
  memcpy(header.magic, kManifestMagic, sizeof header.magic);
  header.format_version = kFormatVersion;
  header.body_bytes = body.size();
  std::string bytes(reinterpret_cast<const char*>(&header), offsetof(ManifestHeader, checksum));
  const uint64_t checksum = Checksum(bytes + body);
  bytes.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  return bytes + body;
}

}  // namespace
}  // namespace vectord

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  vectord::Read(bytes);
  vectord::Read(vectord::WithHeader(bytes));
  return 0;
}
