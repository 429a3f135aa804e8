/*
 * clause_column.c
 *	  Which column of a collection does an expression name?
 *
 * A condition goes over only if the column's values over there are those that
 * the foreign table would show: of the same type, or of a narrower one of the
 * same kind. The source table in this database tells which type that is.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"

#include "fdw/clause.h"

bool
vfdw_is_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID;
}

/* Are values of the collection's column the same ones, in the same order, in the local type? */
static bool
same_values(Oid local, int32 local_typmod, Oid remote, int32 remote_typmod)
{
	if (local_typmod != -1 && local_typmod != remote_typmod)
		return false; /* reading cuts or rounds */
	if (local == remote || (vfdw_is_text(local) && vfdw_is_text(remote)))
		return true;
	switch (local)
	{
		case INT8OID:
			return remote == INT4OID || remote == INT2OID;
		case INT4OID:
			return remote == INT2OID;
		case FLOAT8OID:
			return remote == FLOAT4OID;
		default:
			return false;
	}
}

/* As a value, of which the vector is none. */
static bool
serves_column(const VfdwCollectionFacts *facts, const char *name)
{
	ListCell *lc;

	foreach (lc, facts->key_columns)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	foreach (lc, facts->include)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return false;
}

/*
 * If the expression is a column of the foreign table that the collection serves
 * with the same values, fills it in. Relabelling between text and varchar, or
 * from a domain, changes no value.
 */
bool
vfdw_match_column(const VfdwFilterBuilder *builder, Expr *expr, VfdwColumn *column)
{
	Oid seen = getBaseType(exprType((Node *) expr));
	Var *var;
	int32 local_typmod;
	int32 remote_typmod;
	AttrNumber remote;
	Oid collation;
	char *name;

	while (IsA(expr, RelabelType))
		expr = ((RelabelType *) expr)->arg;
	var = (Var *) expr;
	if (!IsA(expr, Var) || var->varno != builder->relid || var->varlevelsup != 0 ||
		var->varattno <= 0 || builder->facts == NULL)
		return false;
	local_typmod = var->vartypmod;
	column->attribute = var->varattno;
	column->local_type = getBaseTypeAndTypmod(var->vartype, &local_typmod);
	if (seen != column->local_type && !(vfdw_is_text(seen) && vfdw_is_text(column->local_type)) &&
		!(get_element_type(seen) == TEXTOID && get_element_type(column->local_type) == VARCHAROID))
		return false;

	name = vfdw_remote_column(builder->foreigntableid, var->varattno);
	if (!serves_column(builder->facts, name))
		return false;
	remote = get_attnum(builder->facts->source, name);
	if (remote == InvalidAttrNumber)
		return false;
	get_atttypetypmodcoll(builder->facts->source, remote, &column->type, &remote_typmod,
						  &collation);
	column->type = getBaseTypeAndTypmod(column->type, &remote_typmod);
	return same_values(column->local_type, local_typmod, column->type, remote_typmod);
}

/* The collection's vector column, of which only IS NULL goes over as a condition. */
bool
vfdw_match_vector(const VfdwFilterBuilder *builder, Expr *expr, VfdwColumn *column)
{
	const Var *var = (const Var *) expr;

	if (!IsA(expr, Var) || var->varno != builder->relid || var->varlevelsup != 0 ||
		var->varattno <= 0 || builder->facts == NULL ||
		strcmp(vfdw_remote_column(builder->foreigntableid, var->varattno),
			   builder->facts->vector_column) != 0)
		return false;
	column->attribute = var->varattno;
	column->type = column->local_type = InvalidOid;
	return true;
}
