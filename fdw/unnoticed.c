/*
 * unnoticed.c
 *	  A collection, or a column of it, that is defined here and that a daemon does not know (yet).
 *
 * A daemon that does not know a collection can only say that there is none, and
 * one that serves an older definition knows none of the newer one's columns. The
 * catalog of this database knows better: then it is not missing but not ready,
 * which is worth waiting for.
 */
#include "postgres.h"

#include "access/xact.h"

#include "fdw/daemon_error.h"
#include "fdw/vector_fdw.h"

static bool
says_missing(const vfdw_error *error, const char *column, const VfdwCollectionFacts *facts)
{
	/* As vectord words it (row_encoder.cpp): the error names the column nowhere else. */
	return strcmp(error->message,
				  psprintf("column \"%s\" is not in collection \"%s\"", column, facts->name)) == 0;
}

/* The column that vectord misses if the definition names it; NULL: another one. */
static const char *
column_defined(const vfdw_error *error, const VfdwCollectionFacts *facts)
{
	ListCell *cell;

	if (says_missing(error, facts->vector_column, facts))
		return facts->vector_column;
	foreach (cell, list_concat_copy(facts->key_columns, facts->include))
	{
		if (says_missing(error, lfirst(cell), facts))
			return lfirst(cell);
	}
	return NULL;
}

static void
explain_column(vfdw_error *error, const VfdwOptions *options, const VfdwCollectionFacts *facts)
{
	const char *column = column_defined(error, facts);

	if (column == NULL)
		return;
	vfdw_fill_error(error, VFDW_ERR_NOT_READY, "57P03",
					psprintf("collection \"%s\" is not ready yet", options->collection),
					psprintf("Column \"%s\" is in its definition, but the vector daemon of server "
							 "\"%s\" still serves an older one.",
							 column, options->server_name),
					TransactionIdIsValid(GetTopTransactionIdIfAny())
						? "This transaction has written; vectord sees definitions only after they "
						  "are committed."
						: "Wait with vector_fdw.wait_for_collection().");
}

void
vfdw_explain_unnoticed(vfdw_error *error, const VfdwOptions *options)
{
	const VfdwCollectionFacts *facts;
	const char *meant_for = "";
	char *detail;

	/* Without a name, it was all collections that were asked for. */
	if ((error->code != VFDW_ERR_COLLECTION_MISSING && error->code != VFDW_ERR_COLUMN_MISSING) ||
		options->collection == NULL)
		return;
	facts = vfdw_collection_facts(options);
	if (facts == NULL)
		return;
	if (error->code == VFDW_ERR_COLUMN_MISSING)
	{
		explain_column(error, options, facts);
		return;
	}
	if (facts->daemon != NULL)
		meant_for = psprintf(" Its definition names the daemon \"%s\".", facts->daemon);
	detail =
		psprintf("It is defined, but the vector daemon of server \"%s\" does not know it: %s%s",
				 options->server_name, vfdw_printable(error->detail), meant_for);
	vfdw_fill_error(
		error, VFDW_ERR_NOT_READY, "57P03",
		psprintf("collection \"%s\" is not ready yet", options->collection), detail,
		TransactionIdIsValid(GetTopTransactionIdIfAny())
			? "This transaction has written; vectord sees definitions only after they "
			  "are committed."
			: "Wait with vector_fdw.wait_for_collection(). If that does not help, check "
			  "that vectord has a [[source]] for this database, and the collection's "
			  "\"daemon\".");
}
