#!/bin/bash
# differential.sh - random queries have the same answers from the foreign table as from its source table.
#
# A small run of test/model/differential, which says what is compared. MODEL_SEED, MODEL_QUERIES, MODEL_ROWS and
# MODEL_TABLES make it another or a larger one.
set -euo pipefail
exec perl test/model/differential
