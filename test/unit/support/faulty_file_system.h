// faulty_file_system.h - the real file system, of which one operation fails.
#ifndef VECTOR_FDW_TEST_UNIT_SUPPORT_FAULTY_FILE_SYSTEM_H
#define VECTOR_FDW_TEST_UNIT_SUPPORT_FAULTY_FILE_SYSTEM_H

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/file.h"

namespace vectord {

class FaultyFileSystem final : public FileSystem {
 public:
  // The operation of that number, counted from 0 and from now on, fails; and if fatal all after it.
  void FailAt(size_t operation, int error, bool fatal) {
    operations_ = 0;
    fail_at_ = operation;
    error_ = error;
    fatal_ = fatal;
  }
  void StopFailing() { fail_at_ = SIZE_MAX; }
  size_t operations() const { return operations_; }

  Result<std::unique_ptr<AppendFile>> Create(const std::string& path) override {
    VFDW_RETURN_IF_ERROR(Count());
    VFDW_ASSIGN_OR_RETURN(auto file, files_.Create(path));
    return std::unique_ptr<AppendFile>(std::make_unique<Writer>(this, std::move(file)));
  }
  Result<std::unique_ptr<ReadFile>> Open(const std::string& path) override {
    VFDW_RETURN_IF_ERROR(Count());
    return files_.Open(path);
  }
  Status Rename(const std::string& from, const std::string& to) override {
    VFDW_RETURN_IF_ERROR(Count());
    return files_.Rename(from, to);
  }
  Status SyncDirectory(const std::string& path) override {
    VFDW_RETURN_IF_ERROR(Count());
    return files_.SyncDirectory(path);
  }
  Result<std::vector<std::string>> List(const std::string& directory) override {
    VFDW_RETURN_IF_ERROR(Count());
    return files_.List(directory);
  }
  Status Remove(const std::string& path) override {
    VFDW_RETURN_IF_ERROR(Count());
    return files_.Remove(path);
  }
  Status CreateDirectory(const std::string& path) override {
    VFDW_RETURN_IF_ERROR(Count());
    return files_.CreateDirectory(path);
  }
  Result<FileLock> Lock(const std::string& path) override { return files_.Lock(path); }

 private:
  class Writer final : public AppendFile {
   public:
    Writer(FaultyFileSystem* files, std::unique_ptr<AppendFile> file)
        : files_(files), file_(std::move(file)) {}
    Status Append(std::string_view bytes) override {
      VFDW_RETURN_IF_ERROR(files_->Count());
      return file_->Append(bytes);
    }
    Status Sync() override {
      VFDW_RETURN_IF_ERROR(files_->Count());
      return file_->Sync();
    }
    Status Close() override {
      VFDW_RETURN_IF_ERROR(files_->Count());
      return file_->Close();
    }
    uint64_t size() const override { return file_->size(); }

   private:
    FaultyFileSystem* const files_;
    const std::unique_ptr<AppendFile> file_;
  };

  Status Count() {
    const size_t operation = operations_++;
    if (operation != fail_at_ && !(fatal_ && operation > fail_at_)) return {};
    return ErrnoStatus(error_, "the test makes operation " + std::to_string(operation) + " fail");
  }

  PosixFileSystem files_;
  size_t operations_ = 0;
  size_t fail_at_ = SIZE_MAX;
  int error_ = 0;
  bool fatal_ = false;
};

}  // namespace vectord

#endif
