// list_calibration.h - how many lists searches of an ivf index must scan, without such searches.
//
// Lists are scanned in one order, that of their centroids' distances from the query. So a true
// neighbour is found by all searches that scan as many lists as come up to its own, and the place
// of that list in the order says from which effort on. A search by codes finds it only if, besides,
// it is among the rows that are compared by float32 in the end; that takes one search of each
// query, of as many lists as the curve goes up to. More lists have more rows to be mistaken for
// neighbours, so what survives there survives with fewer: the curve promises no more than is true.
// It promises nothing beyond its end, where codes that tell rows badly apart may lose more.
//
// Filters have no curves: lists are scanned as for more neighbours (IvfIndex::ChooseEffort).
#ifndef VECTOR_FDW_DAEMON_INDEX_LIST_CALIBRATION_H
#define VECTOR_FDW_DAEMON_INDEX_LIST_CALIBRATION_H

#include <cstdint>
#include <vector>

#include "daemon/base/status.h"
#include "daemon/index/build_control.h"
#include "daemon/index/ivf_index.h"
#include "daemon/index/recall_curve.h"

namespace vectord {

// Measured with some of the index's own rows, which stay in their lists but count as no answers:
// their neighbours are found or missed as those of other queries are. No centroid may have been
// trained with them, for it would be nearer to them than to other queries. No curves without them.
Result<RecallCurves> MeasureListRecall(const IvfIndex& index, std::vector<uint32_t> held_out,
                                       const BuildControl& control);

}  // namespace vectord

#endif
