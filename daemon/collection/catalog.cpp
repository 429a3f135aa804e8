// catalog.cpp - see catalog.h.
#include "daemon/collection/catalog.h"

#include <mutex>

namespace vectord {

Result<std::shared_ptr<Collection>> Catalog::Find(const std::string& database,
                                                  const std::string& schema,
                                                  const std::string& name) const {
  std::shared_lock lock(mu_);
  const auto it = collections_.find({database, name});
  if (it == collections_.end()) VFDW_RETURN_IF_ERROR(NotRead(database));
  std::string detail, hint;
  if (it != collections_.end()) {
    const std::string held_schema = it->second->definition()->schema;
    if (held_schema == schema) return it->second;
    detail = "The collection of that name is of schema \"" + held_schema + "\".";
    hint = "Correct the option \"schema_name\" of the foreign table.";
  } else if (const auto source = sources_.find(database); source == sources_.end()) {
    detail = "This vectord does not follow database \"" + database + "\".";
    hint =
        "Add a [[source]] for it to vectord.toml and restart vectord, or correct the option "
        "\"dbname\" of the server.";
  } else if (!source->second.status.ok()) {
    detail = "The definitions of database \"" + database +
             "\" could not be read: " + source->second.status.ToString() + ".";
    hint = "Remove the cause; vectord tries again by itself.";
  } else {
    detail = "Among the collections of database \"" + database + "\" there is none of that name.";
  }
  return Status(ErrorCode::COLLECTION_MISSING,
                "collection \"" + name + "\" of schema \"" + schema + "\" does not exist", detail,
                hint);
}

Status Catalog::CheckRead(const std::string& database) const {
  std::shared_lock lock(mu_);
  return NotRead(database);
}

Status Catalog::NotRead(const std::string& database) const {
  const auto source = sources_.find(database);
  if (source == sources_.end() ? has_databases_ : source->second.was_read) return {};
  std::string detail = "vectord has not read them since it was started.";
  if (source != sources_.end() && !source->second.status.ok())
    detail = "vectord has been started and cannot read them: " + source->second.status.ToString();
  return Status(ErrorCode::NOT_READY,
                "the collections of database \"" + database + "\" are not known yet", detail);
}

std::shared_ptr<Collection> Catalog::FindByName(const std::string& database,
                                                const std::string& name) const {
  std::shared_lock lock(mu_);
  const auto it = collections_.find({database, name});
  return it == collections_.end() ? nullptr : it->second;
}

std::vector<std::shared_ptr<Collection>> Catalog::All() const {
  std::shared_lock lock(mu_);
  std::vector<std::shared_ptr<Collection>> all;
  for (const auto& entry : collections_) all.push_back(entry.second);
  return all;
}

std::vector<std::shared_ptr<Collection>> Catalog::OfDatabase(const std::string& database) const {
  std::shared_lock lock(mu_);
  std::vector<std::shared_ptr<Collection>> found;
  for (const auto& [key, collection] : collections_)
    if (key.first == database) found.push_back(collection);
  return found;
}

void Catalog::Add(std::shared_ptr<Collection> collection) {
  std::unique_lock lock(mu_);
  collections_[{collection->database(), collection->name()}] = std::move(collection);
}

void Catalog::Remove(const std::string& database, const std::string& name) {
  std::shared_ptr<Collection> removed;  // freed after the lock, it may be large
  std::unique_lock lock(mu_);
  const auto it = collections_.find({database, name});
  if (it == collections_.end()) return;
  removed = std::move(it->second);
  collections_.erase(it);
  lock.unlock();
}

void Catalog::SetSourceStatus(const std::string& database, const Status& status) {
  std::unique_lock lock(mu_);
  Source& source = sources_[database];
  source.status = status;
  source.was_read = source.was_read || status.ok();
}

void Catalog::SetDatabases(const std::vector<std::string>& databases) {
  std::unique_lock lock(mu_);
  for (const std::string& database : databases) (void)sources_[database];
  has_databases_ = true;
}

}  // namespace vectord
