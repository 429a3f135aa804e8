/*
 * deparse.c
 *	  From a plan to the request that the daemon gets.
 *
 * Here are names and numbers only; the query vector is added when the scan
 * starts, because it may depend on parameters.
 */
#include "postgres.h"

#include "utils/rel.h"

#include "fdw/daemon_error.h"
#include "fdw/plan.h"
#include "fdw/stream.h"

/* Rows of the first batch when a qual of unknown strength will pick among them. */
#define MOST_ROWS_GUESSED 10000

VfdwRequest *
vfdw_make_request(const VfdwPlan *plan, Relation foreign_table, const VfdwOptions *options,
				  Oid source, Oid userid)
{
	VfdwRequest *request = palloc0(sizeof(VfdwRequest));
	Oid table = RelationGetRelid(foreign_table);
	ListCell *lc;

	request->options = options;
	request->collection = vfdw_name_collection(options, source);
	request->userid = userid;
	request->count_only = plan->count_only;
	if (plan->ordered)
	{
		request->vector_column = vfdw_to_utf8(vfdw_remote_column(table, plan->vector_column));
		request->metric = plan->metric;
		request->hold = plan->continues;
	}
	request->columns = palloc0(sizeof(char *) * (list_length(plan->columns) + 1));
	foreach (lc, plan->columns)
		request->columns[request->column_count++] =
			vfdw_to_utf8(vfdw_remote_column(table, lfirst_int(lc)));
	return request;
}

/*
 * Values below zero are errors that the Limit node raises before it asks the
 * scan. The sum of two large values is cut: no collection has so many rows.
 */
uint64
vfdw_rows_wanted(const VfdwPlan *plan, bool no_limit, int64 count, int64 offset)
{
	uint64 wanted;

	if (!plan->limited || no_limit)
		return 0;
	wanted = (uint64) Max(count, 0) + (uint64) Max(offset, 0);
	if (plan->rows_per_match > 1 && wanted < MOST_ROWS_GUESSED)
		wanted = Min(wanted * plan->rows_per_match, MOST_ROWS_GUESSED);
	return Max(Min(wanted, PG_INT64_MAX - plan->slack) + plan->slack, 1);
}
