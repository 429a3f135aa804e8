// segment_merge.h - carries out a plan to merge or to index segments, beside everything else.
//
// Searches go on with the old segments, and the applier with its changes; only the start and the
// end take the incarnation's lock.
#ifndef VECTORD_COLLECTION_SEGMENT_MERGE_H
#define VECTORD_COLLECTION_SEGMENT_MERGE_H

#include <memory>

#include "daemon/base/status.h"
#include "daemon/collection/incarnation.h"
#include "daemon/index/build_control.h"

namespace vectord {

// Ends the plan, one way or the other. OK also when the incarnation was retired meanwhile.
// OUT_OF_MEMORY, before anything is allocated, leaves all as it was; CANCELED too.
Status RunMerge(Incarnation* incarnation, const MergePlan& plan, const BuildControl& control);

}  // namespace vectord

#endif
