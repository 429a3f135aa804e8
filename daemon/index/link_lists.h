// link_lists.h - the links of one level of an HNSW graph while it is being built.
//
// Beside each link stands its key, so that a full list is pruned without computing it again. The
// first checked() links of a list are known to pass the choice among each other (hnsw_linker.cpp),
// because it made them.
//
// Threads: any number may read a list (Copy) while one, who holds the node's lock, changes it. A
// reader may see part of an old list and part of a new one: every link that it sees is a node that
// was linked there at some time, which is all that a walk needs.
#ifndef VECTOR_FDW_DAEMON_INDEX_LINK_LISTS_H
#define VECTOR_FDW_DAEMON_INDEX_LINK_LISTS_H

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "daemon/base/mutex.h"
#include "daemon/index/hnsw_graph.h"
#include "daemon/index/page_buffer.h"
#include "daemon/kernel/distance.h"

namespace vectord {

class LinkLists {
 public:
  // What lists of so many nodes occupy, the links themselves left out.
  static size_t BytesBesideLinks(size_t nodes, uint32_t degree) {
    return PageBuffer::RoundedUp(nodes * degree * sizeof(float)) +
           PageBuffer::RoundedUp(nodes * sizeof(Lengths));
  }

  // Empty lists. degree: at most 255.
  static Result<LinkLists> Create(size_t nodes, uint32_t degree) {
    LinkLists lists;
    lists.nodes_ = nodes;
    lists.degree_ = degree;
    const size_t entries = nodes * degree;
    VFDW_ASSIGN_OR_RETURN(lists.links_, PageBuffer::Create(entries * sizeof(uint32_t)));
    VFDW_ASSIGN_OR_RETURN(lists.keys_, PageBuffer::Create(entries * sizeof(float)));
    VFDW_ASSIGN_OR_RETURN(lists.lengths_, PageBuffer::Create(nodes * sizeof(Lengths)));
    // Of no nodes there is no memory, which memset may not even be shown.
    if (entries > 0)
      memset(lists.links_.as<uint32_t>(), 0xff, entries * sizeof(uint32_t));  // kNoLink
    return lists;
  }

  size_t nodes() const { return nodes_; }
  uint32_t degree() const { return degree_; }

  // Copies the links of a node to out, which has room for degree(). Returns how many there are.
  size_t Copy(uint32_t node, uint32_t* out) const {
    const uint32_t* const links = this->links(node);
    size_t count = 0;
    for (; count < degree_; count++) {
      out[count] = __atomic_load_n(links + count, __ATOMIC_RELAXED);
      if (out[count] == kNoLink) break;
    }
    return count;
  }
  void PrefetchLinks(uint32_t node) const {
    PrefetchLines(links(node), degree_ * sizeof(uint32_t));
  }
  // What Append and Replace will touch.
  void PrefetchList(uint32_t node) const {
    __builtin_prefetch(lengths_.as<Lengths>() + node);
    PrefetchLines(links(node), degree_ * sizeof(uint32_t));
    PrefetchLines(keys_.as<float>() + size_t{node} * degree_, degree_ * sizeof(float));
  }

  // The rest is for whoever holds the node's lock.
  size_t size(uint32_t node) const { return lengths_.as<Lengths>()[node].held; }
  size_t checked(uint32_t node) const { return lengths_.as<Lengths>()[node].checked; }
  uint32_t link(uint32_t node, size_t i) const { return links(node)[i]; }
  float key(uint32_t node, size_t i) const { return keys_.as<float>()[size_t{node} * degree_ + i]; }

  // REQUIRES: size(node) < degree().
  void Append(uint32_t node, uint32_t link, float key) {
    Lengths& lengths = lengths_.as<Lengths>()[node];
    assert(lengths.held < degree_);
    Set(node, lengths.held++, link, key);
  }

  // The links become count others, which item(i) gives as pairs of link and key.
  template <class Item>
  void Replace(uint32_t node, size_t count, Item item) {
    Lengths& lengths = lengths_.as<Lengths>()[node];
    assert(count <= degree_);
    for (size_t i = 0; i < count; i++) {
      const std::pair<uint32_t, float> one = item(i);
      Set(node, i, one.first, one.second);
    }
    for (size_t i = count; i < lengths.held; i++) Set(node, i, kNoLink, 0);
    lengths.held = lengths.checked = static_cast<uint8_t>(count);
  }

  // The matrix of links, to be sealed; without it nothing here may be called but GiveLinks().
  PageBuffer TakeLinks() { return std::move(links_); }
  void GiveLinks(PageBuffer links) { links_ = std::move(links); }
  const PageBuffer& matrix() const { return links_; }

 private:
  struct Lengths {
    uint8_t held, checked;
  };

  const uint32_t* links(uint32_t node) const {
    return links_.as<uint32_t>() + size_t{node} * degree_;
  }
  void Set(uint32_t node, size_t i, uint32_t link, float key) {
    const size_t entry = size_t{node} * degree_ + i;
    keys_.as<float>()[entry] = key;
    __atomic_store_n(links_.as<uint32_t>() + entry, link, __ATOMIC_RELAXED);
  }

  size_t nodes_ = 0;
  uint32_t degree_ = 0;
  PageBuffer links_;    // degree_ uint32 for each node, as HnswGraph has them
  PageBuffer keys_;     // degree_ floats for each node
  PageBuffer lengths_;  // Lengths for each node
};

}  // namespace vectord

#endif
