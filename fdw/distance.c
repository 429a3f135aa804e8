/*
 * distance.c
 *	  The functions behind <->, <#>, <=> and <+> on real[] and double
 *	  precision[].
 *
 * What a distance is, to the last bit, stands in shared/metric.h; here are only
 * the arrays. Elements of double precision[] are rounded to real first, because
 * that is what vectord stores: both sides then return the same bits.
 *
 * NaN and infinite elements are computed with, as IEEE 754 says: one bad row
 * must not make ORDER BY on a whole table fail. vectord refuses such rows, and
 * the foreign table refuses such a query vector.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"

#include "fdw/vector_fdw.h"

/*
 * On x86-64 with glibc the loader picks the widest instructions that the CPU has. Sums are defined
 * by lanes, so each clone returns the same bits (Makefile: -ffp-contract=off).
 */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#define VFDW_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
#endif
#ifndef VFDW_CLONES
#define VFDW_CLONES
#endif

VFDW_CLONES static double
l2_distance(const float *a, const float *b, size_t dimensions)
{
	return vfdw_distance(VFDW_METRIC_L2, a, b, dimensions);
}

VFDW_CLONES static double
negative_inner_product(const float *a, const float *b, size_t dimensions)
{
	return vfdw_distance(VFDW_METRIC_IP, a, b, dimensions);
}

VFDW_CLONES static double
cosine_distance(const float *a, const float *b, size_t dimensions)
{
	return vfdw_distance(VFDW_METRIC_COSINE, a, b, dimensions);
}

VFDW_CLONES static double
l1_distance(const float *a, const float *b, size_t dimensions)
{
	return vfdw_distance(VFDW_METRIC_L1, a, b, dimensions);
}

static double
inner_product(const float *a, const float *b, size_t dimensions)
{
	return -negative_inner_product(a, b, dimensions);
}

typedef double (*DistanceFunction)(const float *a, const float *b, size_t dimensions);

/* Dimensions of an array that is a vector; ereports for any other. */
static int
vector_dimensions(ArrayType *array)
{
	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("a vector must be a one-dimensional array"),
						errdetail("The array has %d dimensions.", ARR_NDIM(array))));
	if (ARR_NDIM(array) == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a vector must have at least one element")));
	if (ARR_HASNULL(array) && array_contains_nulls(array))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("a vector must not have NULL elements")));
	return ARR_DIMS(array)[0];
}

/*
 * The elements as floats: those of a real[] in place, those of a double precision[] rounded into
 * a new array. What is too small for a real becomes zero or subnormal, as when vectord reads it.
 */
static const float *
vector_elements(ArrayType *array, int dimensions)
{
	const float8 *wide;
	float *elements;

	if (ARR_ELEMTYPE(array) == FLOAT4OID)
		return (const float *) ARR_DATA_PTR(array);
	wide = (const float8 *) ARR_DATA_PTR(array);
	elements = palloc(sizeof(float) * dimensions);
	for (int i = 0; i < dimensions; i++)
	{
		elements[i] = (float) wide[i];
		if (isinf(elements[i]) && !isinf(wide[i]))
			ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
							errmsg("element %d of the vector is out of range for type real", i + 1),
							errdetail("Distances are computed in single precision.")));
	}
	return elements;
}

static Datum
distance(FunctionCallInfo fcinfo, DistanceFunction function)
{
	ArrayType *a = PG_GETARG_ARRAYTYPE_P(0);
	ArrayType *b = PG_GETARG_ARRAYTYPE_P(1);
	const int dimensions = vector_dimensions(a);
	const float *x;
	const float *y;
	double result;

	if (vector_dimensions(b) != dimensions)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("vectors of different dimensions: %d and %d", dimensions,
							   vector_dimensions(b))));
	x = vector_elements(a, dimensions);
	y = vector_elements(b, dimensions);
	result = function(x, y, dimensions);

	if ((void *) x != ARR_DATA_PTR(a))
		pfree((void *) x);
	if ((void *) y != ARR_DATA_PTR(b))
		pfree((void *) y);
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	PG_RETURN_FLOAT8(result);
}

/* One C function for both element types: the array says which it has. */
#define VFDW_DISTANCE_FUNCTION(name)                                                               \
	PG_FUNCTION_INFO_V1(vfdw_##name);                                                              \
	Datum vfdw_##name(PG_FUNCTION_ARGS)                                                            \
	{                                                                                              \
		return distance(fcinfo, name);                                                             \
	}                                                                                              \
	extern int no_such_variable

VFDW_DISTANCE_FUNCTION(l2_distance);
VFDW_DISTANCE_FUNCTION(negative_inner_product);
VFDW_DISTANCE_FUNCTION(inner_product);
VFDW_DISTANCE_FUNCTION(cosine_distance);
VFDW_DISTANCE_FUNCTION(l1_distance);
