// temp_directory.h - a directory for sockets, gone with the object.
#ifndef VECTOR_FDW_TEST_UNIT_TRANSPORT_TEMP_DIRECTORY_H
#define VECTOR_FDW_TEST_UNIT_TRANSPORT_TEMP_DIRECTORY_H

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace vectord {

class TempDirectory {
 public:
  TempDirectory() {
    char name[] = "/tmp/vectord-test-XXXXXX";
    if (mkdtemp(name) == nullptr) abort();
    path_ = name;
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace vectord

#endif
