/*
 * catalog.c
 *	  Reads vector_fdw.collection: what is defined in this database.
 *
 * The planner asks for facts often, so they are kept for the session, by the
 * collection's name, until a statement that changed the catalog invalidates
 * them in all backends (ddl_trigger.c). The schema of the source table is not
 * kept but looked up each time, so that renaming a schema or moving a table
 * needs no invalidation here.
 *
 * Rows are read as PostgreSQL reads its own catalogs, without SPI, and so with
 * no need of a privilege: everybody may read this table anyway.
 *
 * Not here: changing it (catalog_write.c).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "fdw/definition.h"
#include "fdw/vector_fdw.h"

/* All that is cached lies in one context, which is emptied as a whole. */
static MemoryContext cache_context = NULL;
static HTAB *cache = NULL;
static Oid cached_catalog = InvalidOid;
static bool cache_is_stale = true;

typedef struct CacheKey
{
	char name[VFDW_MAX_NAME_BYTES + 1]; /* padded with zeros */
} CacheKey;

typedef struct CacheEntry
{
	CacheKey key;
	VfdwCollectionFacts *facts;
} CacheEntry;

/* ---- rows ---- */

static List *
names_of_array(Datum array)
{
	Datum *elements;
	int count;
	List *names = NIL;

	deconstruct_array(DatumGetArrayTypeP(array), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR,
					  &elements, NULL, &count);
	for (int i = 0; i < count; i++)
		names = lappend(names, pstrdup(NameStr(*DatumGetName(elements[i]))));
	return names;
}

static VfdwDefinition *
definition_of_tuple(HeapTuple tuple, TupleDesc descriptor)
{
	Datum values[Natts_collection];
	bool nulls[Natts_collection];
	VfdwDefinition *definition = palloc0(sizeof(VfdwDefinition));

#define VALUE(column) values[Anum_collection_##column - 1]
	Assert(descriptor->natts >= Natts_collection);
	heap_deform_tuple(tuple, descriptor, values, nulls);
	definition->name = TextDatumGetCString(VALUE(name));
	definition->source = DatumGetObjectId(VALUE(source));
	definition->vector_column = pstrdup(NameStr(*DatumGetName(VALUE(vector_column))));
	definition->metric = TextDatumGetCString(VALUE(metric));
	definition->index = TextDatumGetCString(VALUE(index));
	definition->key_columns = names_of_array(VALUE(key_columns));
	definition->include = names_of_array(VALUE(include));
	if (!nulls[Anum_collection_daemon - 1])
		definition->daemon = TextDatumGetCString(VALUE(daemon));
	definition->options = DatumGetJsonbPCopy(VALUE(options));
	definition->loaded = DatumGetBool(VALUE(loaded));
	definition->definition_id =
		DatumGetCString(DirectFunctionCall1(uuid_out, VALUE(definition_id)));
#undef VALUE
	return definition;
}

Oid
vfdw_catalog_oid(void)
{
	Oid schema = get_namespace_oid(VFDW_SCHEMA, true);

	return OidIsValid(schema) ? get_relname_relid("collection", schema) : InvalidOid;
}

VfdwDefinition *
vfdw_find_definition(const char *name)
{
	Oid catalog_oid = vfdw_catalog_oid();
	VfdwDefinition *definition = NULL;
	Relation catalog;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple tuple;

	if (!OidIsValid(catalog_oid))
		return NULL;
	catalog = table_open(catalog_oid, AccessShareLock);
	/* The column has the collation "C", as ScanKeyInit supposes of a catalog. */
	ScanKeyInit(&key, Anum_collection_name, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(name));
	scan = systable_beginscan(catalog,
							  get_relname_relid("collection_pkey", RelationGetNamespace(catalog)),
							  true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		definition = definition_of_tuple(tuple, RelationGetDescr(catalog));
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return definition;
}

/* What is done with each row of the catalog, which is small. */
typedef List *(*Visit)(List *result, HeapTuple tuple, TupleDesc descriptor, Oid argument);

static List *
visit_all(Visit visit, Oid argument)
{
	Oid catalog_oid = vfdw_catalog_oid();
	List *result = NIL;
	Relation catalog;
	SysScanDesc scan;
	HeapTuple tuple;

	if (!OidIsValid(catalog_oid))
		return NIL;
	catalog = table_open(catalog_oid, AccessShareLock);
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		result = visit(result, tuple, RelationGetDescr(catalog), argument);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

static Oid
source_of_tuple(HeapTuple tuple, TupleDesc descriptor)
{
	bool isnull;

	return DatumGetObjectId(heap_getattr(tuple, Anum_collection_source, descriptor, &isnull));
}

static List *
add_source(List *sources, HeapTuple tuple, TupleDesc descriptor, Oid unused)
{
	return list_append_unique_oid(sources, source_of_tuple(tuple, descriptor));
}

static List *
add_definition_over(List *definitions, HeapTuple tuple, TupleDesc descriptor, Oid source)
{
	if (source_of_tuple(tuple, descriptor) != source)
		return definitions;
	return lappend(definitions, definition_of_tuple(tuple, descriptor));
}

List *
vfdw_sources(void)
{
	return visit_all(add_source, InvalidOid);
}

List *
vfdw_definitions_over(Oid source)
{
	return visit_all(add_definition_over, source);
}

/* ---- facts, cached ---- */

static enum vfdw_metric
metric_of_name(const char *name)
{
#define VFDW_METRIC_OF_NAME_(value, metric, operator)                                              \
	if (strcmp(name, metric) == 0)                                                                 \
		return value;
	VFDW_METRICS(VFDW_METRIC_OF_NAME_)
#undef VFDW_METRIC_OF_NAME_
	elog(ERROR, "collection has the unknown metric \"%s\"", name);
}

static VfdwCollectionFacts *
facts_of_definition(const VfdwDefinition *definition)
{
	VfdwCollectionFacts *facts = palloc0(sizeof(VfdwCollectionFacts));

	facts->name = definition->name;
	facts->source = definition->source;
	facts->vector_column = definition->vector_column;
	facts->metric = metric_of_name(definition->metric);
	facts->index = definition->index;
	facts->key_columns = definition->key_columns;
	facts->include = definition->include;
	facts->definition_id = definition->definition_id;
	facts->daemon = definition->daemon;
	facts->dimensions = vfdw_integer_option(definition->options, "dimensions");
	facts->ef_search = vfdw_integer_option(definition->options, "ef_search");
	facts->nprobe = vfdw_integer_option(definition->options, "nprobe");
	facts->target_recall = vfdw_number_option(definition->options, "target_recall");
	facts->loaded = definition->loaded;
	return facts;
}

static List *
copy_names(const List *names)
{
	List *copy = NIL;
	ListCell *cell;

	foreach (cell, names)
		copy = lappend(copy, pstrdup(lfirst(cell)));
	return copy;
}

/* The caller's copy outlives an invalidation that comes while it plans. */
static VfdwCollectionFacts *
copy_facts(const VfdwCollectionFacts *facts)
{
	VfdwCollectionFacts *copy = palloc(sizeof(VfdwCollectionFacts));

	*copy = *facts;
	copy->name = pstrdup(facts->name);
	copy->vector_column = pstrdup(facts->vector_column);
	copy->index = pstrdup(facts->index);
	copy->key_columns = copy_names(facts->key_columns);
	copy->include = copy_names(facts->include);
	copy->definition_id = pstrdup(facts->definition_id);
	copy->daemon = facts->daemon != NULL ? pstrdup(facts->daemon) : NULL;
	return copy;
}

/* Also called with InvalidOid: anything may have changed. */
static void
forget_on_change(Datum unused, Oid relation)
{
	if (relation == InvalidOid || relation == cached_catalog)
		cache_is_stale = true;
}

static void
reset_cache(void)
{
	HASHCTL control;

	if (cache_context == NULL)
		cache_context =
			AllocSetContextCreate(CacheMemoryContext, "vector_fdw catalog", ALLOCSET_SMALL_SIZES);
	/* An error below leaves no table, and the next caller comes here again. */
	cache_is_stale = true;
	cache = NULL;
	MemoryContextReset(cache_context);

	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(CacheKey);
	control.entrysize = sizeof(CacheEntry);
	control.hcxt = cache_context;
	cache =
		hash_create("vector_fdw collections", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	cached_catalog = vfdw_catalog_oid();
	cache_is_stale = !OidIsValid(cached_catalog);
}

/* Only what exists is remembered: a name not found is looked for again. */
static const VfdwCollectionFacts *
cached_facts(const char *name)
{
	CacheKey key;
	CacheEntry *entry;
	VfdwDefinition *definition;
	VfdwCollectionFacts *facts;
	MemoryContext caller;

	if (strlen(name) > VFDW_MAX_NAME_BYTES)
		return NULL;
	memset(&key, 0, sizeof(key));
	strcpy(key.name, name);

	if (cache_is_stale)
		reset_cache();
	entry = hash_search(cache, &key, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->facts;

	/* Opening the catalog may process invalidations: what was read then must not be kept. */
	definition = vfdw_find_definition(name);
	if (definition == NULL)
		return NULL;
	facts = facts_of_definition(definition);
	if (!cache_is_stale)
	{
		caller = MemoryContextSwitchTo(cache_context);
		facts = copy_facts(facts);
		MemoryContextSwitchTo(caller);
		entry = hash_search(cache, &key, HASH_ENTER, NULL);
		entry->facts = facts;
	}
	return facts;
}

bool
vfdw_is_local(const VfdwOptions *options)
{
	char *database = get_database_name(MyDatabaseId);

	return database != NULL && strcmp(options->dbname, database) == 0;
}

const VfdwCollectionFacts *
vfdw_collection_named(const VfdwOptions *options)
{
	const VfdwCollectionFacts *facts;

	if (!vfdw_is_local(options))
		return NULL;
	facts = cached_facts(options->collection);
	return facts != NULL ? copy_facts(facts) : NULL;
}

const VfdwCollectionFacts *
vfdw_collection_facts(const VfdwOptions *options)
{
	const VfdwCollectionFacts *facts = vfdw_collection_named(options);
	char *schema;

	if (facts == NULL)
		return NULL;
	schema = get_namespace_name(get_rel_namespace(facts->source));
	return schema != NULL && strcmp(schema, options->schema_name) == 0 ? facts : NULL;
}

void
vfdw_catalog_init(void)
{
	CacheRegisterRelcacheCallback(forget_on_change, (Datum) 0);
}
