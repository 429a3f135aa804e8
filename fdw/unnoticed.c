/*
 * unnoticed.c
 *	  A collection that is defined here and that a daemon does not know (yet).
 *
 * A daemon that does not know a collection can only say that there is none. The
 * catalog of this database knows better: then it is not missing but not ready,
 * which is worth waiting for.
 */
#include "postgres.h"

#include "access/xact.h"

#include "fdw/daemon_error.h"
#include "fdw/vector_fdw.h"

void
vfdw_explain_unnoticed(vfdw_error *error, const VfdwOptions *options)
{
	const VfdwCollectionFacts *facts;
	const char *meant_for = "";
	char *detail;

	/* Without a name, it was all collections that were asked for. */
	if (error->code != VFDW_ERR_COLLECTION_MISSING || options->collection == NULL)
		return;
	facts = vfdw_collection_facts(options);
	if (facts == NULL)
		return;
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
