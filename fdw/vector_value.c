/*
 * vector_value.c
 *	  Vectors of the four local types, to and from plain floats.
 *
 * pgvector's types are handled through their own send and receive functions,
 * so their layout in memory is not relied upon; only their wire format is,
 * which does not change: int16 dimensions, int16 unused, then the elements,
 * big-endian.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "fdw/vector_value.h"

#define HALF_EXPONENT_BIAS 15

#define QUERY_VECTOR_HINT "Search with a vector of the collection's dimensions and finite elements."

PG_FUNCTION_INFO_V1(vfdw_stored_vector_as_array);
PG_FUNCTION_INFO_V1(vfdw_packed_vector);

VfdwVectorType
vfdw_vector_type(Oid type)
{
	VfdwVectorType found = VFDW_TYPE_NO_VECTOR;
	HeapTuple tuple;

	type = getBaseType(type);
	if (type == FLOAT4ARRAYOID)
		return VFDW_TYPE_FLOAT4_ARRAY;
	if (type == FLOAT8ARRAYOID)
		return VFDW_TYPE_FLOAT8_ARRAY;
	if (type < FirstNormalObjectId)
		return VFDW_TYPE_NO_VECTOR;

	/* The name alone proves nothing; it only saves the look-up below for most types. */
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (HeapTupleIsValid(tuple))
	{
		const char *name = NameStr(((Form_pg_type) GETSTRUCT(tuple))->typname);

		if (strcmp(name, "vector") == 0)
			found = VFDW_TYPE_VECTOR;
		else if (strcmp(name, "halfvec") == 0)
			found = VFDW_TYPE_HALFVEC;
		ReleaseSysCache(tuple);
	}
	if (found != VFDW_TYPE_NO_VECTOR)
	{
		Oid extension = getExtensionOfObject(TypeRelationId, type);

		if (!OidIsValid(extension) || extension != get_extension_oid(VFDW_PGVECTOR, true))
			found = VFDW_TYPE_NO_VECTOR;
	}
	return found;
}

static float
float_of_half(uint16 half)
{
	int exponent = (half >> 10) & 0x1f;
	int fraction = half & 0x3ff;
	float value;

	if (exponent == 0)
		value = ldexpf((float) fraction, -HALF_EXPONENT_BIAS - 9);
	else if (exponent == 0x1f)
		value = fraction == 0 ? (float) INFINITY : (float) NAN;
	else
		value = ldexpf((float) (fraction | 0x400), exponent - HALF_EXPONENT_BIAS - 10);
	return (half & 0x8000) != 0 ? -value : value;
}

/* Rounds to the nearest, ties to even; exact for what came from a half. */
static uint16
half_of_float(float value)
{
	uint16 sign = signbit(value) ? 0x8000 : 0;
	int exponent;
	float scaled;

	value = fabsf(value);
	if (isnan(value))
		return sign | 0x7e00;
	if (value >= 65520.0f) /* rounds to 2^16 */
		return sign | 0x7c00;
	if (value == 0)
		return sign;
	exponent = Max(ilogbf(value), 1 - HALF_EXPONENT_BIAS);
	scaled = rintf(ldexpf(value, 10 - exponent));
	/*
	 * A normal number scales to 1024..2048 and its hidden bit adds one to the
	 * exponent field, as does the carry of a fraction that rounded up.
	 */
	return sign | (uint16) (((exponent + HALF_EXPONENT_BIAS - 1) << 10) + (int) scaled);
}

Datum
vfdw_float4_array(const float *elements, size_t dimensions)
{
	Size size = ARR_OVERHEAD_NONULLS(1) + dimensions * sizeof(float4);
	ArrayType *array = palloc0(size);

	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = FLOAT4OID;
	ARR_DIMS(array)[0] = (int) dimensions;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), elements, dimensions * sizeof(float4));
	return PointerGetDatum(array);
}

static Datum
float8_array(const float *elements, size_t dimensions)
{
	Size size = ARR_OVERHEAD_NONULLS(1) + dimensions * sizeof(float8);
	ArrayType *array = palloc0(size);
	float8 *to;

	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = FLOAT8OID;
	ARR_DIMS(array)[0] = (int) dimensions;
	ARR_LBOUND(array)[0] = 1;
	to = (float8 *) ARR_DATA_PTR(array);
	for (size_t i = 0; i < dimensions; i++)
		to[i] = elements[i];
	return PointerGetDatum(array);
}

/* A value of pgvector's type, made by its receive function. */
static Datum
received_vector(VfdwVectorType vector_type, FmgrInfo *receive, Oid io_param, int32 typmod,
				const float *elements, size_t dimensions)
{
	StringInfoData message;
	Datum value;

	if (dimensions > PG_INT16_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("a vector of %zu dimensions does not fit the column's type", dimensions),
				 errhint("Declare the column as real[].")));
	initStringInfo(&message);
	enlargeStringInfo(&message, (int) (4 + dimensions * sizeof(float4)));
	pq_sendint16(&message, (uint16) dimensions);
	pq_sendint16(&message, 0);
	for (size_t i = 0; i < dimensions; i++)
	{
		if (vector_type == VFDW_TYPE_HALFVEC)
			pq_sendint16(&message, half_of_float(elements[i]));
		else
			pq_sendfloat4(&message, elements[i]);
	}
	value = ReceiveFunctionCall(receive, &message, io_param, typmod);
	pfree(message.data);
	return value;
}

Datum
vfdw_make_vector(VfdwVectorType vector_type, FmgrInfo *receive, Oid io_param, int32 typmod,
				 const float *elements, size_t dimensions)
{
	switch (vector_type)
	{
		case VFDW_TYPE_FLOAT4_ARRAY:
			return vfdw_float4_array(elements, dimensions);
		case VFDW_TYPE_FLOAT8_ARRAY:
			return float8_array(elements, dimensions);
		default:
			return received_vector(vector_type, receive, io_param, typmod, elements, dimensions);
	}
}

static void
refuse_query_vector(const char *message, const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", message),
					errdetail_internal("%s", detail), errhint(QUERY_VECTOR_HINT)));
}

static float *
elements_of_array(Datum value, VfdwVectorType vector_type, size_t *dimensions)
{
	ArrayType *array = DatumGetArrayTypeP(value);
	float *elements;

	if (ARR_NDIM(array) > 1)
		refuse_query_vector("query vector must have one dimension",
							psprintf("The array has %d dimensions.", ARR_NDIM(array)));
	if (ARR_NDIM(array) == 0)
		refuse_query_vector("query vector must not be empty", "The array has no elements.");
	if (array_contains_nulls(array))
		refuse_query_vector("query vector must not contain NULL elements",
							psprintf("At least one of its %d elements is NULL.",
									 ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array))));

	*dimensions = ARR_DIMS(array)[0];
	elements = palloc(*dimensions * sizeof(float));
	if (vector_type == VFDW_TYPE_FLOAT4_ARRAY)
		memcpy(elements, ARR_DATA_PTR(array), *dimensions * sizeof(float));
	else
	{
		const float8 *from = (const float8 *) ARR_DATA_PTR(array);

		for (size_t i = 0; i < *dimensions; i++)
		{
			elements[i] = (float) from[i];
			if (isinf(elements[i]) && !isinf(from[i]))
				ereport(
					ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("element %zu of the query vector is out of range for type real", i + 1),
					 errdetail("Distances are computed in single precision."),
					 errhint(QUERY_VECTOR_HINT)));
		}
	}
	return elements;
}

static float *
elements_of_pgvector(Datum value, Oid type, VfdwVectorType vector_type, size_t *dimensions)
{
	Oid send;
	bool is_varlena;
	bytea *sent;
	StringInfoData message;
	float *elements;

	getTypeBinaryOutputInfo(type, &send, &is_varlena);
	sent = OidSendFunctionCall(send, value);
	initStringInfo(&message);
	appendBinaryStringInfo(&message, VARDATA(sent), VARSIZE(sent) - VARHDRSZ);
	*dimensions = pq_getmsgint(&message, 2);
	(void) pq_getmsgint(&message, 2);
	elements = palloc(*dimensions * sizeof(float));
	for (size_t i = 0; i < *dimensions; i++)
		elements[i] = vector_type == VFDW_TYPE_HALFVEC
						  ? float_of_half((uint16) pq_getmsgint(&message, 2))
						  : pq_getmsgfloat4(&message);
	pfree(message.data);
	pfree(sent);
	return elements;
}

/* False for what vectord rejects; the same rules as daemon/source/vector_decoder.cpp has. */
static bool
stored_array(Datum value, VfdwVectorType vector_type, float **elements, size_t *dimensions)
{
	ArrayType *array = DatumGetArrayTypeP(value);

	if (ARR_NDIM(array) != 1 || array_contains_nulls(array))
		return false;
	*dimensions = ARR_DIMS(array)[0];
	*elements = palloc(*dimensions * sizeof(float));
	if (vector_type == VFDW_TYPE_FLOAT4_ARRAY)
		memcpy(*elements, ARR_DATA_PTR(array), *dimensions * sizeof(float));
	else
		for (size_t i = 0; i < *dimensions; i++)
			(*elements)[i] = (float) ((const float8 *) ARR_DATA_PTR(array))[i];
	return true;
}

bool
vfdw_stored_vector(Datum value, Oid type, VfdwVectorType vector_type, float **elements,
				   size_t *dimensions)
{
	if (vector_type == VFDW_TYPE_FLOAT4_ARRAY || vector_type == VFDW_TYPE_FLOAT8_ARRAY)
	{
		if (!stored_array(value, vector_type, elements, dimensions))
			return false;
	}
	else
		*elements = elements_of_pgvector(value, getBaseType(type), vector_type, dimensions);
	for (size_t i = 0; i < *dimensions; i++)
	{
		if (!isfinite((*elements)[i]))
			return false;
	}
	return true;
}

/*
 * stored_vector(vector, dimensions): a vector of any type as vectord stores it; NULL if it would
 * reject the row. Dimensions 0: whatever they are.
 */
Datum
vfdw_stored_vector_as_array(PG_FUNCTION_ARGS)
{
	const Oid type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	const VfdwVectorType vector_type = vfdw_vector_type(type);
	const int wanted = PG_GETARG_INT32(1);
	float *elements;
	size_t dimensions;

	if (vector_type == VFDW_TYPE_NO_VECTOR)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("type %s is not that of a vector", format_type_be(type))));
	if (!vfdw_stored_vector(PG_GETARG_DATUM(0), type, vector_type, &elements, &dimensions) ||
		(wanted == 0 ? dimensions > VFDW_MAX_DIMENSIONS : dimensions != (size_t) wanted))
		PG_RETURN_NULL();
	return vfdw_float4_array(elements, dimensions);
}

/* False for what packed_vector() leaves to array_send(). */
static bool
pack_elements(ArrayType *array, char *out)
{
	const int count = ARR_DIMS(array)[0];

	for (int i = 0; i < count; i++)
	{
		float element;
		uint32 bits;

		if (ARR_ELEMTYPE(array) == FLOAT4OID)
			element = ((const float4 *) ARR_DATA_PTR(array))[i];
		else
			element = (float) ((const float8 *) ARR_DATA_PTR(array))[i];
		if (!isfinite(element))
			return false;
		memcpy(&bits, &element, sizeof(bits));
		bits = pg_hton32(bits);
		memcpy(out + i * sizeof(bits), &bits, sizeof(bits));
	}
	return true;
}

/*
 * packed_vector(real[] | double precision[]): for copies of tables, since array_send() makes a
 * message for each element, which takes longer than all the rest. A one-dimensional array of 1 to
 * VFDW_MAX_DIMENSIONS elements that are finite as float32 comes as pgvector's vector_send() would
 * write it; another one as array_send() does, which begins with 16 zero bits: it is told apart by
 * that.
 */
Datum
vfdw_packed_vector(PG_FUNCTION_ARGS)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(0);

	if (ARR_NDIM(array) == 1 && ARR_DIMS(array)[0] <= VFDW_MAX_DIMENSIONS &&
		!array_contains_nulls(array))
	{
		const uint16 count = (uint16) ARR_DIMS(array)[0];
		const Size bytes = VARHDRSZ + 2 * sizeof(uint16) + count * sizeof(float4);
		bytea *packed = palloc(bytes);
		const uint16 head[2] = {pg_hton16(count), 0};

		SET_VARSIZE(packed, bytes);
		memcpy(VARDATA(packed), head, sizeof(head));
		if (pack_elements(array, VARDATA(packed) + sizeof(head)))
			PG_RETURN_BYTEA_P(packed);
		pfree(packed);
	}
	PG_RETURN_BYTEA_P(OidSendFunctionCall(F_ARRAY_SEND, PointerGetDatum(array)));
}

float *
vfdw_query_vector(Datum value, Oid type, size_t *dimensions)
{
	VfdwVectorType vector_type = vfdw_vector_type(type);
	float *elements;

	if (vector_type == VFDW_TYPE_NO_VECTOR)
		elog(ERROR, "type %u is not that of a vector", type);
	if (vector_type == VFDW_TYPE_FLOAT4_ARRAY || vector_type == VFDW_TYPE_FLOAT8_ARRAY)
		elements = elements_of_array(value, vector_type, dimensions);
	else
		elements = elements_of_pgvector(value, getBaseType(type), vector_type, dimensions);

	if (*dimensions > VFDW_MAX_DIMENSIONS)
		refuse_query_vector(
			psprintf("query vector has %zu dimensions, more than the %d allowed", *dimensions,
					 VFDW_MAX_DIMENSIONS),
			psprintf("No collection has vectors of more than %d dimensions.", VFDW_MAX_DIMENSIONS));
	for (size_t i = 0; i < *dimensions; i++)
		if (!isfinite(elements[i]))
			refuse_query_vector(isnan(elements[i])
									? "query vector must not contain NaN"
									: "query vector must not contain infinite elements",
								psprintf("Element %zu is %s.", i + 1,
										 isnan(elements[i]) ? "NaN"
										 : elements[i] > 0	? "Infinity"
															: "-Infinity"));
	return elements;
}
