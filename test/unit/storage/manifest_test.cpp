// manifest_test.cpp - a manifest as bytes, sound and damaged.
#include "daemon/storage/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vectord {
namespace {

using testing::HasSubstr;

Manifest SomeManifest() {
  Manifest manifest;
  manifest.stamps.system_identifier = 7300000000000000001;
  manifest.stamps.timeline = 3;
  manifest.stamps.slot_name = "vectord";
  manifest.stamps.key = {"app", "docs_vec", "d-1"};
  manifest.stamps.table_oid = 16400;
  manifest.stamps.definition_hash = 0x123456789abcdef0;
  manifest.durable_lsn = 0x15B00000;
  manifest.dimensions = 128;
  manifest.rejected_rows = 2;
  manifest.builds = 4;
  manifest.written_at_us = 1795250700000001;
  SegmentRecord with_live;
  with_live.file = {FileKind::kSegment, 1, 4096, 11};
  with_live.live = FileRef{FileKind::kLiveRows, 2, 200, 12};
  with_live.rows = 100;
  with_live.live_rows = 90;
  SegmentRecord whole;
  whole.file = {FileKind::kSegment, 3, 8192, 13};
  whole.rows = whole.live_rows = 7;
  manifest.segments = {with_live, whole};
  manifest.rejected_keys = FileRef{FileKind::kRejectedKeys, 4, 300, 14};
  return manifest;
}

TEST(ManifestBytes, WhatIsWrittenIsRead) {
  const Manifest written = SomeManifest();
  const Result<Manifest> read = ReadManifest(WriteManifest(written));
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(DescribeDifference(read->stamps, written.stamps), "");
  EXPECT_EQ(read->durable_lsn, written.durable_lsn);
  EXPECT_EQ(read->dimensions, 128u);
  EXPECT_EQ(read->rejected_rows, 2u);
  EXPECT_EQ(read->builds, 4u);
  EXPECT_EQ(read->written_at_us, written.written_at_us);
  ASSERT_EQ(read->segments.size(), 2u);
  EXPECT_EQ(read->segments[0].file, written.segments[0].file);
  EXPECT_EQ(read->segments[0].live, written.segments[0].live);
  EXPECT_EQ(read->segments[0].live_rows, 90u);
  EXPECT_FALSE(read->segments[1].live.has_value());
  EXPECT_EQ(read->rejected_keys, written.rejected_keys);
  EXPECT_EQ(read->file_bytes(), 4096u + 200 + 8192 + 300);
}

TEST(ManifestBytes, EveryFlippedBitIsNoticed) {
  const std::string sound = WriteManifest(SomeManifest());
  for (size_t i = 0; i < sound.size(); i++)
    for (int bit = 0; bit < 8; bit++) {
      std::string damaged = sound;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_EQ(ReadManifest(damaged).status().code(), ErrorCode::CORRUPT) << "byte " << i;
    }
}

TEST(ManifestBytes, EveryOtherLengthIsNoticed) {
  const std::string sound = WriteManifest(SomeManifest());
  for (size_t size = 0; size < sound.size(); size++)
    EXPECT_EQ(ReadManifest(sound.substr(0, size)).status().code(), ErrorCode::CORRUPT) << size;
  EXPECT_EQ(ReadManifest(sound + '\0').status().code(), ErrorCode::CORRUPT);
}

TEST(ManifestBytes, AnImpossibleContentIsNoticedBehindARightChecksum) {
  Manifest manifest = SomeManifest();
  manifest.segments[1].live_rows = 6;
  EXPECT_THAT(ReadManifest(WriteManifest(manifest)).status().detail(), HasSubstr("live rows"));
  manifest = SomeManifest();
  manifest.segments[0].file.kind = FileKind::kLiveRows;
  EXPECT_THAT(ReadManifest(WriteManifest(manifest)).status().detail(), HasSubstr("wrong kind"));
  manifest = SomeManifest();
  manifest.segments[0].file.kind = static_cast<FileKind>(77);
  EXPECT_THAT(ReadManifest(WriteManifest(manifest)).status().detail(), HasSubstr("unknown kind"));
}

TEST(ManifestStamps, EveryDifferenceHasItsSentence) {
  const SourceStamps stored = SomeManifest().stamps;
  const auto differs_by = [&stored](auto change) {
    SourceStamps expected = stored;
    change(&expected);
    return DescribeDifference(stored, expected);
  };
  EXPECT_EQ(differs_by([](SourceStamps*) {}), "");
  EXPECT_THAT(differs_by([](SourceStamps* s) { s->system_identifier++; }), HasSubstr("cluster"));
  EXPECT_EQ(differs_by([](SourceStamps* s) { s->timeline = 4; }),
            "They were made from timeline 3, the source now has 4.");
  EXPECT_THAT(differs_by([](SourceStamps* s) { s->slot_name += "2"; }), HasSubstr("slot"));
  EXPECT_THAT(differs_by([](SourceStamps* s) { s->key.database = "b"; }), HasSubstr("database"));
  EXPECT_THAT(differs_by([](SourceStamps* s) { s->key.name = "b"; }), HasSubstr("collection"));
  EXPECT_THAT(differs_by([](SourceStamps* s) { s->key.definition_id = "b"; }),
              HasSubstr("definition"));
  EXPECT_THAT(differs_by([](SourceStamps* s) { s->table_oid++; }), HasSubstr("table"));
  EXPECT_THAT(differs_by([](SourceStamps* s) { s->definition_hash++; }), HasSubstr("columns"));
}

}  // namespace
}  // namespace vectord
