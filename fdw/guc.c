/*
 * guc.c
 *	  The settings of a session, all named vector_fdw.*.
 *
 * Each has a value that means "not set", so that a setting of the session can
 * win over the options of the foreign table and its server, and stay out of
 * the way otherwise (option.c resolves it). None needs a privilege: they
 * change how one's own queries run.
 */
#include "postgres.h"

#include "utils/guc.h"
#include "utils/pg_lsn.h"

#include "fdw/vector_fdw.h"

int vfdw_guc_ef_search = 0;
int vfdw_guc_nprobe = 0;
double vfdw_guc_target_recall = 0;
bool vfdw_guc_exact = false;
int vfdw_guc_consistency = VFDW_CONSISTENCY_DEFAULT;
int vfdw_guc_on_unavailable = VFDW_ON_UNAVAILABLE_DEFAULT;
int vfdw_guc_request_timeout_ms = 0;
char *vfdw_guc_min_lsn = NULL;
char *vfdw_guc_daemon_role = NULL;

const struct config_enum_entry vfdw_consistency_names[] = {
	{"default", VFDW_CONSISTENCY_DEFAULT, false},
	{"eventual", VFDW_CONSISTENCY_EVENTUAL, false},
	{"session", VFDW_CONSISTENCY_SESSION, false},
	{"snapshot", VFDW_CONSISTENCY_SNAPSHOT, false},
	{NULL, 0, false}};

const struct config_enum_entry vfdw_on_unavailable_names[] = {
	{"default", VFDW_ON_UNAVAILABLE_DEFAULT, false},
	{"error", VFDW_ON_UNAVAILABLE_ERROR, false},
	{"scan", VFDW_ON_UNAVAILABLE_SCAN, false},
	{NULL, 0, false}};

/* An empty setting is no position. */
static bool
parse_lsn(const char *value, XLogRecPtr *lsn)
{
	uint32 high;
	uint32 low;
	int length = 0;

	*lsn = InvalidXLogRecPtr;
	if (value == NULL || value[0] == '\0')
		return true;
	/* As pg_lsn_in does; that function's way to report an error differs between versions. */
	if (strspn(value, "0123456789abcdefABCDEF/") != strlen(value) || strlen(value) > 17 ||
		sscanf(value, "%8X/%8X%n", &high, &low, &length) != 2 || value[length] != '\0')
		return false;
	*lsn = ((uint64) high << 32) | low;
	return true;
}

static bool
check_min_lsn(char **newval, void **extra, GucSource source)
{
	XLogRecPtr lsn;

	if (parse_lsn(*newval, &lsn))
		return true;
	GUC_check_errdetail("A position in the write-ahead log is expected, like \"16/B374D848\".");
	GUC_check_errhint(
		"It is what pg_current_wal_insert_lsn() returned after the write to be seen.");
	return false;
}

XLogRecPtr
vfdw_min_lsn(void)
{
	XLogRecPtr lsn;

	if (!parse_lsn(vfdw_guc_min_lsn, &lsn))
		elog(ERROR, "vector_fdw.min_lsn holds an unchecked value");
	return lsn;
}

/* As the option of the same name, but that 0 stands for none. */
static bool
check_target_recall(double *newval, void **extra, GucSource source)
{
	if (*newval == 0 || *newval >= VFDW_MIN_TARGET_RECALL)
		return true;
	GUC_check_errdetail("Allowed is 0, or %g to 1.", VFDW_MIN_TARGET_RECALL);
	return false;
}

void
vfdw_define_gucs(void)
{
	DefineCustomIntVariable("vector_fdw.ef_search",
							"Candidates that an HNSW search keeps: more is slower and finds more.",
							"0 leaves it to the foreign table, its server and the collection.",
							&vfdw_guc_ef_search, 0, 0, VFDW_MAX_EF_SEARCH, PGC_USERSET, 0, NULL,
							NULL, NULL);
	DefineCustomIntVariable(
		"vector_fdw.nprobe", "Lists that an IVF search visits: more is slower and finds more.",
		"0 leaves it to the foreign table, its server and the collection.", &vfdw_guc_nprobe, 0, 0,
		VFDW_MAX_NPROBE, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomRealVariable(
		"vector_fdw.target_recall", "Share of the true neighbours that a search should find.",
		"0 leaves it to the foreign table, its server and the collection.", &vfdw_guc_target_recall,
		0, 0, 1, PGC_USERSET, 0, check_target_recall, NULL, NULL);
	DefineCustomBoolVariable("vector_fdw.exact", "Finds the true neighbours, without an index.",
							 NULL, &vfdw_guc_exact, false, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("vector_fdw.min_lsn",
							   "Searches wait until all that was committed before this position of "
							   "the write-ahead log is to be found.",
							   "For sessions that share connections through a pooler.",
							   &vfdw_guc_min_lsn, "", PGC_USERSET, 0, check_min_lsn, NULL, NULL);
	DefineCustomEnumVariable("vector_fdw.consistency", "How fresh the answers of searches are.",
							 "\"default\" leaves it to the foreign table and its server.",
							 &vfdw_guc_consistency, VFDW_CONSISTENCY_DEFAULT,
							 vfdw_consistency_names, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("vector_fdw.request_timeout", "Longest wait for one reply of vectord.",
							"0 leaves it to the server.", &vfdw_guc_request_timeout_ms, 0, 0,
							INT_MAX, PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomEnumVariable("vector_fdw.on_unavailable",
							 "What a search does when vectord cannot answer: fail, or scan the "
							 "source table.",
							 "\"default\" leaves it to the foreign table and its server.",
							 &vfdw_guc_on_unavailable, VFDW_ON_UNAVAILABLE_DEFAULT,
							 vfdw_on_unavailable_names, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("vector_fdw.daemon_role",
							   "Role that vectord logs in as: create_collection() lets it read the "
							   "source table.",
							   "Empty: create_collection() grants nothing.", &vfdw_guc_daemon_role,
							   "vectord", PGC_USERSET, 0, NULL, NULL, NULL);

#if PG_VERSION_NUM >= 150000
	MarkGUCPrefixReserved("vector_fdw");
#else
	EmitWarningsOnPlaceholders("vector_fdw");
#endif
}
