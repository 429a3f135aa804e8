/*
 * definition.h
 *	  A collection's definition, on its way between the caller of
 *	  create_collection() and a row of vector_fdw.collection.
 *
 * For the files that write definitions or read them whole. Whoever only plans
 * a query asks vfdw_collection_facts() (vector_fdw.h).
 */
#ifndef VECTOR_FDW_DEFINITION_H
#define VECTOR_FDW_DEFINITION_H

#include "postgres.h"

#include "access/htup.h"
#include "access/tupdesc.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/rel.h"

/* Columns of vector_fdw.collection, in the order of sql/vector_fdw.sql; upgrades only append. */
enum
{
	Anum_collection_name = 1,
	Anum_collection_source,
	Anum_collection_vector_column,
	Anum_collection_metric,
	Anum_collection_index,
	Anum_collection_key_columns,
	Anum_collection_include,
	Anum_collection_daemon,
	Anum_collection_options,
	Anum_collection_loaded,
	Anum_collection_definition_id,
	Anum_collection_created_at,
	Anum_collection_altered_at,
	Natts_collection = Anum_collection_altered_at
};

typedef struct VfdwDefinition
{
	char *name;
	Oid source;
	char *vector_column;
	char *metric;
	char *index;
	List *key_columns; /* of char *; NIL before vfdw_check_definition(): the primary key */
	List *include;	   /* of char * */
	char *daemon;	   /* NULL: each that follows this database */
	Jsonb *options;	   /* without null values */
	bool loaded;
	char *definition_id; /* as text; NULL before it is in the catalog */
} VfdwDefinition;

/* catalog.c */

/* OID of vector_fdw.collection; InvalidOid if the extension is not in this database. */
extern Oid vfdw_catalog_oid(void);
/* The definition of that name, in the current memory context, or NULL. Not cached. */
extern VfdwDefinition *vfdw_find_definition(const char *name);
/* The definitions over that table, as this transaction sees them now. Not cached. */
extern List *vfdw_definitions_over(Oid source);
/* The source tables of all definitions, each once; some may be gone. Not cached. */
extern List *vfdw_sources(void);

/*
 * catalog_write.c: changes vector_fdw.collection with the privileges of its owner. The caller has
 * checked what the user may do.
 */

/* False if the name is taken. */
extern bool vfdw_insert_definition(const VfdwDefinition *definition);
/* Locks the row against other writers until the end of the transaction; false if it is gone. */
extern bool vfdw_lock_definition(const char *name);
/* Writes all but name, source and loaded. A new definition_id makes the daemon rebuild. */
extern void vfdw_update_definition(const VfdwDefinition *definition, bool rebuild);
extern void vfdw_set_loaded(const char *name, bool loaded);
extern void vfdw_delete_definition(const char *name);
extern void vfdw_delete_definitions_without_source(void);
/* The column has another name now: definitions over the table follow, with a NOTICE. */
extern void vfdw_rename_column(Oid source, const char *old_name, const char *new_name);
/* Definitions over the table that name the column get a new definition_id. */
extern void vfdw_rebuild_with_column(Oid source, const char *column);
/* One WARNING for each column of a definition over that table that the table does not have. */
extern void vfdw_warn_of_missing_columns(Oid source);

/* definition.c */

/*
 * Opens and locks the source table of a definition to be made or changed: it is a table whose owner
 * the current user is. ereports otherwise, and if wal_level excludes collections.
 */
extern Relation vfdw_open_source(Oid source);
/* The metric and the kind of index are known words. */
extern void vfdw_check_words(const VfdwDefinition *definition);
/* Checks all else, the replica identity of the source included; fills key_columns in if there are
 * none. */
extern void vfdw_check_definition(VfdwDefinition *definition, Relation source);
/* 42501 unless the current user may define collections over that table. */
extern void vfdw_check_source_owner(Oid source, const char *collection);
/* Is the column one of the definition's: key, vector or included? */
extern bool vfdw_names_column(const VfdwDefinition *definition, const char *column);
extern bool vfdw_is_owner(Oid relation);
/* Whether an UPDATE or DELETE can say in the log which row it meant. */
extern bool vfdw_has_replica_identity(Relation table);
extern char *vfdw_qualified_name(Oid relation);

/* collection_option.c */

/* Unknown names, wrong types, values out of bounds, options of another kind of index. */
extern void vfdw_check_collection_options(Jsonb *options, const char *index);
/* Merged key by key; a null removes. *rebuild is set if what changed is built into the index. */
extern Jsonb *vfdw_merge_collection_options(Jsonb *old, Jsonb *change, bool *rebuild);
/* An integer of checked options; 0 if it is not there. */
extern int vfdw_integer_option(Jsonb *options, const char *name);
/* The same of a number. */
extern double vfdw_number_option(Jsonb *options, const char *name);

/* daemon_role.c */

/* Lets the role of vector_fdw.daemon_role read a source table, or says what is missing. */
extern void vfdw_grant_to_daemon(Relation source);

#endif /* VECTOR_FDW_DEFINITION_H */
