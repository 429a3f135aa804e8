// relation_map.cpp - see relation_map.h.
#include "daemon/source/relation_map.h"

#include <algorithm>
#include <utility>

namespace vectord {
namespace {

Relation CopyOf(const RelationMessage& message) {
  Relation relation;
  relation.id = message.id;
  relation.schema = message.schema;
  relation.name = message.name;
  relation.identity = message.identity;
  relation.columns.reserve(message.columns.size());
  for (const RelationColumnMessage& column : message.columns)
    relation.columns.push_back(
        {std::string(column.name), column.type_oid, column.type_modifier, column.in_identity});
  return relation;
}

std::string Quoted(const std::string& name) { return "\"" + name + "\""; }

// Nothing when the column serves the need in every respect.
void CheckColumn(const Relation& relation, const RelationColumn& column, const NeededColumn& need,
                 std::vector<SchemaProblem>* problems) {
  const std::string subject =
      "Column " + Quoted(need.name) + " of table " + Quoted(relation.QualifiedName());
  if (column.type_oid != need.type_oid) {
    problems->push_back({SchemaFault::kTypeChanged, need.name,
                         subject + " has another type now: OID " + std::to_string(column.type_oid) +
                             " instead of " + std::to_string(need.type_oid) + "."});
  } else if (column.type_modifier != need.type_modifier) {
    problems->push_back(
        {SchemaFault::kModifierChanged, need.name,
         subject + " has another type modifier now: " + std::to_string(column.type_modifier) +
             " instead of " + std::to_string(need.type_modifier) + "."});
  }
  if (need.role == vfdw::ColumnRole::kKey && !column.in_identity)
    problems->push_back(
        {SchemaFault::kKeyNotInIdentity, need.name,
         subject + " is not part of the table's replica identity, so updates and deletes do not "
                   "say which row they mean."});
}

}  // namespace

bool RelationColumn::operator==(const RelationColumn& other) const {
  return name == other.name && type_oid == other.type_oid && type_modifier == other.type_modifier &&
         in_identity == other.in_identity;
}

bool Relation::operator==(const Relation& other) const {
  return id == other.id && schema == other.schema && name == other.name &&
         identity == other.identity && columns == other.columns;
}

RelationMap::Announcement RelationMap::Announce(const RelationMessage& message) {
  Relation described = CopyOf(message);
  Entry& entry = entries_[message.id];
  entry.session = session_;
  Announcement announcement;
  announcement.previous = entry.relation;
  if (entry.relation == nullptr || !(*entry.relation == described))
    entry.relation = std::make_shared<const Relation>(std::move(described));
  announcement.relation = entry.relation;
  return announcement;
}

std::shared_ptr<const Relation> RelationMap::Find(uint32_t id) const {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.session != session_) return nullptr;
  return found->second.relation;
}

bool ColumnBinding::usable() const {
  return std::all_of(problems.begin(), problems.end(), [](const SchemaProblem& problem) {
    return problem.fault == SchemaFault::kModifierChanged;
  });
}

ColumnBinding BindColumns(const Relation& relation, const std::vector<NeededColumn>& needed) {
  ColumnBinding binding;
  for (const NeededColumn& need : needed) {
    const auto column =
        std::find_if(relation.columns.begin(), relation.columns.end(),
                     [&](const RelationColumn& candidate) { return candidate.name == need.name; });
    if (column == relation.columns.end()) {
      binding.positions.push_back(ColumnBinding::kMissing);
      binding.problems.push_back({SchemaFault::kColumnMissing, need.name,
                                  "Table " + Quoted(relation.QualifiedName()) +
                                      " publishes no column " + Quoted(need.name) + " any more."});
      continue;
    }
    binding.positions.push_back(static_cast<size_t>(column - relation.columns.begin()));
    CheckColumn(relation, *column, need, &binding.problems);
  }
  return binding;
}

}  // namespace vectord
