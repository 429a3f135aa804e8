/*
 * type_use.c
 *	  Which sources of collections hold values of a type, be it inside of others.
 *
 * vectord keeps what send functions write: labels of enums, and composite
 * values with the number and types of their attributes. When such a type is
 * altered, the rows of a table stay as they are, but are sent in other bytes
 * from then on, and no change in the stream says so.
 *
 * Takes no lock on any table, for the reasons of source_tree.c.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupdesc.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "fdw/definition.h"
#include "fdw/type_use.h"

static bool is_made_of(Oid type, const List *parts);

/* CREATE TABLE ... OF: its row type is another one, which follows. */
static Oid
type_of_typed_table(Oid relation)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid type;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	type = ((Form_pg_class) GETSTRUCT(tuple))->reloftype;
	ReleaseSysCache(tuple);
	return type;
}

static bool
has_attribute_made_of(Oid row_type, const List *parts)
{
	TupleDesc attributes;

	if (list_member_oid(parts, type_of_typed_table(get_typ_typrelid(row_type))))
		return true;
	attributes = lookup_rowtype_tupdesc_copy(row_type, -1);
	for (int i = 0; i < attributes->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(attributes, i);

		if (!attribute->attisdropped && is_made_of(attribute->atttypid, parts))
			return true;
	}
	return false;
}

/* No type can be made of itself, so this ends. */
static bool
is_made_of(Oid type, const List *parts)
{
	check_stack_depth();
	type = getBaseType(type);
	if (list_member_oid(parts, type))
		return true;
	if (OidIsValid(get_element_type(type)))
		return is_made_of(get_element_type(type), parts);
	switch (get_typtype(type))
	{
		case TYPTYPE_COMPOSITE:
			return has_attribute_made_of(type, parts);
		case TYPTYPE_RANGE:
			return is_made_of(get_range_subtype(type), parts);
		case TYPTYPE_MULTIRANGE:
			return is_made_of(get_multirange_range(type), parts);
		default:
			return false;
	}
}

static bool
any_column_made_of(Oid source, List *columns, const List *parts)
{
	ListCell *cell;

	foreach (cell, columns)
	{
		AttrNumber attribute = get_attnum(source, lfirst(cell));

		if (attribute > 0 && is_made_of(get_atttype(source, attribute), parts))
			return true;
	}
	return false;
}

/* The types of keys and vectors are PostgreSQL's and pgvector's own, and made of nothing else. */
List *
vfdw_sources_made_of(const List *types)
{
	List *sources = NIL;
	ListCell *source;
	ListCell *definition;

	foreach (source, types != NIL ? vfdw_sources() : NIL)
	{
		foreach (definition, vfdw_definitions_over(lfirst_oid(source)))
		{
			List *include = ((VfdwDefinition *) lfirst(definition))->include;

			if (any_column_made_of(lfirst_oid(source), include, types))
				sources = list_append_unique_oid(sources, lfirst_oid(source));
		}
	}
	return sources;
}

List *
vfdw_row_types_of(Oid relation)
{
	List *types = NIL;
	ListCell *cell;

	/* Dropped, perhaps with a column named beside it, as that of an identity is. */
	if (!OidIsValid(get_rel_type_id(relation)))
		return NIL;
	foreach (cell, find_all_inheritors(relation, NoLock, NULL))
	{
		Oid type = get_rel_type_id(lfirst_oid(cell));

		if (OidIsValid(type))
			types = lappend_oid(types, type);
	}
	return types;
}
