/*
 * fingerprint.h
 *	  64-bit hashes of column values that are the same for a row of a source
 *	  table and for what vectord has of it.
 */
#ifndef VECTOR_FDW_FINGERPRINT_H
#define VECTOR_FDW_FINGERPRINT_H

#include "postgres.h"

#include "fdw/vector_fdw.h"
#include "fdw/vector_value.h"

typedef struct VfdwFingerprint VfdwFingerprint;

/* How values of a source column of that type are hashed. Lives in the current context. */
extern VfdwFingerprint *vfdw_make_fingerprint(const char *column, Oid type, int32 typmod,
											  bool is_vector);

/*
 * Both continue *hash. They leave garbage in the current context.
 * vfdw_hash_value() is false for a vector that vectord rejects: not acceptable in itself, or not of
 * that many dimensions; 0 allows any number.
 */
extern bool vfdw_hash_value(VfdwFingerprint *print, Datum value, bool isnull, size_t dimensions,
							uint64 *hash);
extern void vfdw_hash_reply(VfdwFingerprint *print, const vfdw_rows *rows, size_t column,
							uint32 row, uint64 *hash);

#endif /* VECTOR_FDW_FINGERPRINT_H */
