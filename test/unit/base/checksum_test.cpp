// checksum_test.cpp - the checksum that files are read by.
#include "daemon/base/checksum.h"

#include <gtest/gtest.h>

#include <string>

namespace vectord {
namespace {

TEST(Checksum, IsTheOneThatFilesOnDiskHave) {
  EXPECT_EQ(Checksum(""), 0x2D06800538D394C2u);
  EXPECT_EQ(Checksum("vectord"), 0xA60F75F46471D65Du);
}

TEST(Checksum, OfPiecesIsThatOfTheWhole) {
  std::string text;
  for (int i = 0; i < 5000; i++) text += std::to_string(i);
  for (const size_t piece : {1, 63, 64, 1000, 100000}) {
    Checksummer checksummer;
    for (size_t i = 0; i < text.size(); i += piece)
      checksummer.Add(std::string_view(text).substr(i, piece));
    EXPECT_EQ(checksummer.Value(), Checksum(text)) << piece;
    checksummer.Reset();
    EXPECT_EQ(checksummer.Value(), Checksum(""));
  }
}

}  // namespace
}  // namespace vectord
