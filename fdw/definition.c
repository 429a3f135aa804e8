/*
 * definition.c
 *	  What a definition of a collection must be: the source table, its columns,
 *	  and who may define.
 *
 * Everything is checked here before anything changes, because the daemon works
 * from the catalog when nobody is there to read its errors, and because the
 * application's writes must never fail on account of a collection. So the
 * source must be a table that logical decoding can follow as it stands.
 *
 * Not here: the options (collection_option.c) and the catalog (catalog_write.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "fdw/definition.h"
#include "fdw/publication.h"
#include "fdw/source_key.h"
#include "fdw/vector_fdw.h"

char *
vfdw_qualified_name(Oid relation)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
									  get_rel_name(relation));
}

/* ---- who ---- */

bool
vfdw_is_owner(Oid relation)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, relation, GetUserId());
#else
	return pg_class_ownercheck(relation, GetUserId());
#endif
}

void
vfdw_check_source_owner(Oid source, const char *collection)
{
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(source)))
	{
		/* No owner can be asked. It happens only if event triggers were switched off. */
		if (superuser())
			return;
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("the source table of collection \"%s\" does not exist any more",
							   collection),
						errhint("A superuser can drop the collection.")));
	}
	if (!vfdw_is_owner(source))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be owner of table %s", vfdw_qualified_name(source)),
						errdetail("A collection belongs to the owner of its source table.")));
}

/* ---- the source table ---- */

/* Why a relation of that kind cannot be a source, or NULL if it can. */
static const char *
objection_to_kind(char relkind)
{
	switch (relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			return NULL;
		case RELKIND_VIEW:
			return "It is a view.";
		case RELKIND_MATVIEW:
			return "It is a materialized view: logical decoding does not carry its changes.";
		case RELKIND_FOREIGN_TABLE:
			return "It is a foreign table: its changes are not in this database's log.";
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
			return "It is an index.";
		case RELKIND_SEQUENCE:
			return "It is a sequence.";
		default:
			return "It is not a table of rows.";
	}
}

static void
check_kind(Relation relation)
{
	const char *objection = objection_to_kind(relation->rd_rel->relkind);
	const char *hint = NULL;

	if (objection == NULL && IsSystemRelation(relation))
		objection = "It is a system catalog.";
	else if (objection == NULL && relation->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		objection = "It is a temporary table: other sessions cannot read it.";
	else if (objection == NULL && relation->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
	{
		objection = "It is an unlogged table: its changes are not in the log.";
		hint = psprintf("Use ALTER TABLE %s SET LOGGED.",
						vfdw_qualified_name(RelationGetRelid(relation)));
	}
	else if (objection == NULL && OidIsValid(relation->rd_rel->reloftype))
	{
		objection =
			"It is a typed table: its columns change with ALTER TYPE, which is not followed.";
		hint =
			psprintf("Use ALTER TABLE %s NOT OF.", vfdw_qualified_name(RelationGetRelid(relation)));
	}
	if (objection != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" cannot be the source of a collection",
						RelationGetRelationName(relation)),
				 errdetail_internal("%s", objection), hint != NULL ? errhint("%s", hint) : 0));
}

bool
vfdw_has_replica_identity(Relation table)
{
	const char identity = table->rd_rel->relreplident;

	return identity == REPLICA_IDENTITY_FULL ||
		   (identity != REPLICA_IDENTITY_NOTHING && OidIsValid(RelationGetReplicaIndex(table)));
}

static void
check_replica_identity(Relation relation)
{
	char *name = vfdw_qualified_name(RelationGetRelid(relation));
	const char identity = relation->rd_rel->relreplident;

	if (vfdw_has_replica_identity(relation))
		return;
	ereport(
		ERROR,
		(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		 errmsg("table %s has no replica identity", name),
		 errdetail("Logical decoding could not say which rows were updated and deleted."),
		 identity == REPLICA_IDENTITY_DEFAULT
			 ? errhint(
				   "Add a primary key, or use ALTER TABLE %s REPLICA IDENTITY USING INDEX or FULL.",
				   name)
			 : errhint("Use ALTER TABLE %s REPLICA IDENTITY DEFAULT (the primary key), USING INDEX "
					   "or FULL.",
					   name)));
}

static void
check_identity_is_published(Relation table, Oid source)
{
	const char *generated = vfdw_unpublished_identity(table, source);
	char *name;

	if (generated == NULL)
		return;
	name = vfdw_qualified_name(RelationGetRelid(table));
	ereport(
		ERROR,
		(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		 errmsg("the replica identity of table %s holds generated column \"%s\"", name, generated),
		 errdetail("It would not be published, and PostgreSQL would refuse to update and "
				   "delete rows of the table then."),
		 errhint("Use ALTER TABLE %s REPLICA IDENTITY DEFAULT (the primary key) or USING "
				 "INDEX, with a unique index that holds no generated column.",
				 name)));
}

/* What the log says of an old row is its replica identity, so that has to tell the key. */
static void
check_key_in_identity(const VfdwDefinition *definition, Relation table)
{
	char *name = vfdw_qualified_name(RelationGetRelid(table));
	Bitmapset *identity;
	ListCell *cell;

	if (table->rd_rel->relreplident == REPLICA_IDENTITY_FULL)
		return;
	identity = RelationGetIndexAttrBitmap(table, INDEX_ATTR_BITMAP_IDENTITY_KEY);
	foreach (cell, definition->key_columns)
	{
		const char *column = lfirst(cell);
		AttrNumber attnum = get_attnum(RelationGetRelid(table), column);

		if (!bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, identity))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("key column \"%s\" is not part of the replica identity of table %s",
							column, name),
					 errdetail("Logical decoding could not say by it which rows were updated and "
							   "deleted."),
					 errhint("Use ALTER TABLE %s REPLICA IDENTITY USING INDEX, with a unique index "
							 "that holds the column, or FULL; or name in key_columns what the "
							 "replica identity holds.",
							 name)));
	}
}

/* Rows and their changes are those of the partitions, which may differ from their parent. */
static void
check_changes_can_be_followed(const VfdwDefinition *definition, Relation source)
{
	ListCell *cell;

	foreach (cell, find_all_inheritors(RelationGetRelid(source), AccessShareLock, NULL))
	{
		Relation table = table_open(lfirst_oid(cell), NoLock);

		check_kind(table);
		if (table->rd_rel->relkind == RELKIND_RELATION)
		{
			check_replica_identity(table);
			check_identity_is_published(table, RelationGetRelid(source));
			check_key_in_identity(definition, table);
		}
		table_close(table, NoLock);
	}
}

static void
check_inheritance(Relation source)
{
	if (source->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
		find_inheritance_children(RelationGetRelid(source), AccessShareLock) == NIL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" cannot be the source of a collection", RelationGetRelationName(source)),
			 errdetail("Other tables inherit from it, and no key is unique across all of them."),
			 errhint("Use a partitioned table.")));
}

/* A single value that is no UTF-8 would stop the stream of the whole database. */
static void
check_encoding(void)
{
	if (GetDatabaseEncoding() != PG_SQL_ASCII)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("a database with encoding SQL_ASCII cannot have collections"),
			 errdetail("PostgreSQL does not convert what is in it, and vectord reads UTF-8."),
			 errhint("Bring the data into a database with another encoding, such as UTF8.")));
}

/*
 * The lock keeps the table and its keys as they were checked until the definition is committed:
 * dropping or altering them needs a stronger one.
 */
Relation
vfdw_open_source(Oid source)
{
	Relation relation;

	relation = try_relation_open(source, AccessShareLock);
	if (relation == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("table with OID %u does not exist", source)));
	check_kind(relation);
	if (!vfdw_is_owner(source))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be owner of table %s", vfdw_qualified_name(source)),
						errdetail("Only the owner of a table may define collections over it.")));
	check_encoding();
	if (wal_level < WAL_LEVEL_LOGICAL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a collection needs \"wal_level\" to be \"logical\""),
				 errdetail("vectord follows the source table by logical decoding."),
				 errhint("Use ALTER SYSTEM SET wal_level = 'logical', then restart PostgreSQL.")));
	check_inheritance(relation);
	return relation;
}

/* ---- columns ---- */

/* The column of that name; ereports if it is none that a collection can hold. */
static Form_pg_attribute
find_column(Relation source, const char *name, const char *role)
{
	AttrNumber attnum = get_attnum(RelationGetRelid(source), name);
	Form_pg_attribute column;

	if (attnum == InvalidAttrNumber)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("column \"%s\" of table %s does not exist", name,
							   vfdw_qualified_name(RelationGetRelid(source))),
						errdetail("It was named as %s.", role)));
	if (attnum < 0)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("system column \"%s\" cannot be part of a collection", name)));
	column = TupleDescAttr(RelationGetDescr(source), attnum - 1);
	if (column->attgenerated != '\0')
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("generated column \"%s\" cannot be part of a collection", name),
						errdetail("Logical decoding does not carry generated columns.")));
	return column;
}

/* pgvector's type of that name, and nobody else's. */
static bool
is_pgvector_type(Oid type, const char *name)
{
	Oid extension = get_extension_oid("vector", true);
	HeapTuple tuple;
	bool same;

	if (!OidIsValid(extension) || getExtensionOfObject(TypeRelationId, type) != extension)
		return false;
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		return false;
	same = strcmp(NameStr(((Form_pg_type) GETSTRUCT(tuple))->typname), name) == 0;
	ReleaseSysCache(tuple);
	return same;
}

static void
check_vector_column(Relation source, const char *name)
{
	Form_pg_attribute column = find_column(source, name, "the vector column");
	const Oid type = column->atttypid;

	if (type == FLOAT4ARRAYOID || type == FLOAT8ARRAYOID || is_pgvector_type(type, "vector") ||
		is_pgvector_type(type, "halfvec"))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("vector column \"%s\" has the type %s", name, format_type_be(type)),
			 errdetail("A vector is of type real[] or double precision[], or of pgvector's types "
					   "vector or halfvec.")));
}

static void
check_key_type(Form_pg_attribute column)
{
	switch (column->atttypid)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case TEXTOID:
		case VARCHAROID:
		case UUIDOID:
			return;
	}
	ereport(
		ERROR,
		(errcode(ERRCODE_DATATYPE_MISMATCH),
		 errmsg("key column \"%s\" has the type %s", NameStr(column->attname),
				format_type_be(column->atttypid)),
		 errdetail("A key column is of type smallint, integer, bigint, text, varchar or uuid.")));
}

/* The daemon copies rows in binary format, and the backend reads them so. */
static bool
has_binary_format(Oid type)
{
	Oid element;
	HeapTuple tuple;
	bool has;

	type = getBaseType(type);
	element = get_element_type(type);
	if (OidIsValid(element))
		return has_binary_format(element);
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		return false;
	has = OidIsValid(((Form_pg_type) GETSTRUCT(tuple))->typsend) &&
		  OidIsValid(((Form_pg_type) GETSTRUCT(tuple))->typreceive);
	ReleaseSysCache(tuple);
	return has;
}

bool
vfdw_names_column(const VfdwDefinition *definition, const char *column)
{
	return strcmp(definition->vector_column, column) == 0 ||
		   vfdw_contains_name(definition->key_columns, column) ||
		   vfdw_contains_name(definition->include, column);
}

static void
check_repetition(const List *earlier, const char *name, const char *list)
{
	if (vfdw_contains_name(earlier, name))
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
						errmsg("column \"%s\" stands twice in %s", name, list)));
}

static void
check_include(const VfdwDefinition *definition, Relation source)
{
	List *earlier = NIL;
	ListCell *cell;

	foreach (cell, definition->include)
	{
		char *name = lfirst(cell);
		Form_pg_attribute column = find_column(source, name, "an included column");

		check_repetition(earlier, name, "include");
		if (strcmp(name, definition->vector_column) == 0 ||
			vfdw_contains_name(definition->key_columns, name))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("column \"%s\" is in the collection already", name),
					 errhint("The key columns and the vector column need not be included.")));
		if (!has_binary_format(column->atttypid))
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("column \"%s\" has the type %s, which cannot be included", name,
								   format_type_be(column->atttypid)),
							errdetail("The type has no binary send and receive functions.")));
		earlier = lappend(earlier, name);
	}
}

/* ---- the key ---- */

static char *
joined(const List *names)
{
	StringInfoData text;
	ListCell *cell;

	initStringInfo(&text);
	foreach (cell, names)
		appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "", quote_identifier(lfirst(cell)));
	return text.data;
}

static void
check_key(VfdwDefinition *definition, Relation source)
{
	char *table = vfdw_qualified_name(RelationGetRelid(source));
	List *earlier = NIL;
	ListCell *cell;

	if (definition->key_columns == NIL)
	{
		definition->key_columns = vfdw_primary_key(source);
		if (definition->key_columns == NIL)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("table %s has no primary key", table),
					 errdetail("Each row of a collection is known by its key."),
					 errhint("Add one with ALTER TABLE %s ADD PRIMARY KEY (...), or name unique "
							 "columns that are NOT NULL in key_columns.",
							 table)));
	}
	foreach (cell, definition->key_columns)
	{
		char *name = lfirst(cell);
		Form_pg_attribute column = find_column(source, name, "a key column");

		check_repetition(earlier, name, "key_columns");
		check_key_type(column);
		if (!vfdw_is_not_null(source, column->attnum))
			ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("key column \"%s\" of table %s may be NULL", name, table),
							errhint("Use ALTER TABLE %s ALTER COLUMN %s SET NOT NULL.", table,
									quote_identifier(name))));
		earlier = lappend(earlier, name);
	}
	if (!vfdw_is_unique(source, definition->key_columns))
		ereport(
			ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("key_columns (%s) of table %s are not unique", joined(definition->key_columns),
					table),
			 errdetail("No primary key and no unique index is over exactly these columns; one "
					   "that is partial, deferrable, invalid or over expressions does not count."),
			 errhint("Use CREATE UNIQUE INDEX ON %s (%s).", table,
					 joined(definition->key_columns))));
}

/* ---- the whole ---- */

static void
check_word(const char *what, const char *value, const char *const *words)
{
	StringInfoData valid;

	initStringInfo(&valid);
	for (; *words != NULL; words++)
	{
		if (strcmp(value, *words) == 0)
			return;
		appendStringInfo(&valid, "%s%s", valid.len > 0 ? ", " : "", *words);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown %s \"%s\"", what, value),
			 errhint("Valid values are: %s.", valid.data)));
}

/* Not in the way of any multibyte encoding: these bytes stand for nothing else in a database. */
static bool
has_control_character(const char *name)
{
	for (; *name != '\0'; name++)
	{
		if ((unsigned char) *name < ' ' || *name == 0x7F)
			return true;
	}
	return false;
}

/* Foreign tables take the collection's name, so it must be a possible table name. */
static void
check_name(const char *what, const char *name)
{
	if (name[0] == '\0' || strlen(name) >= NAMEDATALEN)
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME), errmsg("invalid %s: \"%s\"", what, name),
						errdetail("It must have 1 to %d bytes.", NAMEDATALEN - 1)));
	if (has_control_character(name) || strspn(name, " ") == strlen(name))
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME), errmsg("invalid %s: \"%s\"", what, name),
						errdetail("It has a control character, or nothing but spaces."),
						errhint("Use visible characters.")));
}

/* vectord has this rule for [daemon] name: under another name nobody ever holds the collection. */
static void
check_daemon_name(const char *name)
{
	size_t length = strlen(name);

	if (length > 0 && length < NAMEDATALEN &&
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == length)
		return;
	ereport(
		ERROR,
		(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid name of a daemon: \"%s\"", name),
		 errdetail("It must have 1 to %d letters, digits, \"_\", \"-\" or \".\".", NAMEDATALEN - 1),
		 errhint("Use the name in vectord.toml, [daemon] name. Without one, each vectord that "
				 "follows this database holds the collection.")));
}

void
vfdw_check_words(const VfdwDefinition *definition)
{
#define VFDW_METRIC_NAME_(value, name, operator) name,
	static const char *const metrics[] = {VFDW_METRICS(VFDW_METRIC_NAME_) NULL};
#undef VFDW_METRIC_NAME_
	static const char *const indexes[] = {"hnsw", "ivf", "flat", NULL};

	check_word("metric", definition->metric, metrics);
	check_word("index", definition->index, indexes);
}

void
vfdw_check_definition(VfdwDefinition *definition, Relation source)
{
	check_name("name of a collection", definition->name);
	if (definition->daemon != NULL)
		check_daemon_name(definition->daemon);
	vfdw_check_words(definition);
	check_vector_column(source, definition->vector_column);
	check_key(definition, source);
	check_include(definition, source);
	check_changes_can_be_followed(definition, source);
	vfdw_check_collection_options(definition->options, definition->index);
}
