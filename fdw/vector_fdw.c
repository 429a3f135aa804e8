/*
 * vector_fdw.c
 *	  The module's entry points: what PostgreSQL finds by name when it loads
 *	  the library and when it plans over a foreign table.
 *
 * Nothing here starts a thread or opens a descriptor: the library may be in
 * shared_preload_libraries, and the client must not be inherited by a fork.
 * connection.c makes it when the first scan needs it.
 */
#include "postgres.h"

#include "fmgr.h"
#include "foreign/fdwapi.h"

#include "fdw/vector_fdw.h"
#include "shared/version.h"

#if PG_VERSION_NUM >= 180000
PG_MODULE_MAGIC_EXT(.name = VFDW_EXTENSION, .version = VECTOR_FDW_VERSION);
#else
PG_MODULE_MAGIC;
#endif

PGDLLEXPORT void _PG_init(void);

PG_FUNCTION_INFO_V1(vfdw_handler);

void
_PG_init(void)
{
	vfdw_define_gucs();
	vfdw_catalog_init();
	vfdw_freshness_init();
	vfdw_pushdown_init();
}

/*
 * No callback writes: the foreign table is read-only. Those of modification that are set explain
 * why, with the source table's name. No callback is asynchronous: Append runs foreign scans one
 * after another, and MergeAppend knows no asynchronous scans at all.
 */
Datum
vfdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = vectorGetForeignRelSize;
	routine->GetForeignPaths = vectorGetForeignPaths;
	routine->GetForeignUpperPaths = vectorGetForeignUpperPaths;
	routine->GetForeignPlan = vectorGetForeignPlan;
	routine->IsForeignScanParallelSafe = vectorIsForeignScanParallelSafe;

	routine->BeginForeignScan = vectorBeginForeignScan;
	routine->IterateForeignScan = vectorIterateForeignScan;
	routine->ReScanForeignScan = vectorReScanForeignScan;
	routine->EndForeignScan = vectorEndForeignScan;
	routine->RecheckForeignScan = vectorRecheckForeignScan;

	routine->ExplainForeignScan = vectorExplainForeignScan;
	routine->AnalyzeForeignTable = vectorAnalyzeForeignTable;
	routine->ImportForeignSchema = vectorImportForeignSchema;

	routine->IsForeignRelUpdatable = vectorIsForeignRelUpdatable;
	routine->AddForeignUpdateTargets = vectorAddForeignUpdateTargets;
	routine->PlanForeignModify = vectorPlanForeignModify;
	routine->ExecForeignInsert = vectorExecForeignInsert;
	routine->ExecForeignTruncate = vectorExecForeignTruncate;

	PG_RETURN_POINTER(routine);
}
