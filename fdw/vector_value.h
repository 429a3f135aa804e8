/*
 * vector_value.h
 *	  Which local types hold vectors, and making them. (vector_value.c)
 */
#ifndef VECTOR_FDW_VECTOR_VALUE_H
#define VECTOR_FDW_VECTOR_VALUE_H

#include "fmgr.h"

#include "fdw/vector_fdw.h"

#define VFDW_PGVECTOR "vector" /* name of pgvector's extension, and of its main type */

typedef enum VfdwVectorType
{
	VFDW_TYPE_NO_VECTOR = 0,
	VFDW_TYPE_FLOAT4_ARRAY,
	VFDW_TYPE_FLOAT8_ARRAY,
	VFDW_TYPE_VECTOR, /* pgvector's */
	VFDW_TYPE_HALFVEC
} VfdwVectorType;

/* Domains count as their base type. */
extern VfdwVectorType vfdw_vector_type(Oid type);

/* A one-dimensional real[] with these elements. */
extern Datum vfdw_float4_array(const float *elements, size_t dimensions);
/* A value of any vector type; receive, its parameter and typmod are needed for pgvector's only. */
extern Datum vfdw_make_vector(VfdwVectorType vector_type, FmgrInfo *receive, Oid io_param,
							  int32 typmod, const float *elements, size_t dimensions);

/*
 * The elements of a value of a source table as vectord stores them, palloc'ed. False if it stores
 * no such row: the vector is empty, not of one dimension, or not all finite numbers of float4.
 */
extern bool vfdw_stored_vector(Datum value, Oid type, VfdwVectorType vector_type, float **elements,
							   size_t *dimensions);

#endif /* VECTOR_FDW_VECTOR_VALUE_H */
