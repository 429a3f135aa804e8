/*
 * operand.c
 *	  Values of a filter in the bytes that the daemon compares.
 *
 * The operand of a comparison need not have the type of the collection's
 * column: "int4 < int8", "date < timestamp". It is converted exactly, or, when
 * the column's type has no such value, to the neighbour below it, and the
 * caller chooses a comparison that gives the same rows (filter.c).
 *
 * Fixed sizes are little-endian, as in replies.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "fdw/clause.h"
#include "fdw/daemon_error.h"
#include "shared/limits.h"

#define JSONB_BINARY_VERSION 1

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

static bool
is_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == NAMEOID;
}

bool
vfdw_operand_fits(Oid column_type, Oid operand_type)
{
	switch (column_type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return is_integer(operand_type);
		case FLOAT4OID:
		case FLOAT8OID:
			return operand_type == FLOAT4OID || operand_type == FLOAT8OID;
		case DATEOID:
			return operand_type == DATEOID || operand_type == TIMESTAMPOID;
		case TIMESTAMPOID:
			return operand_type == TIMESTAMPOID || operand_type == DATEOID;
		case TIMESTAMPTZOID:
			return operand_type == TIMESTAMPTZOID || operand_type == TIMESTAMPOID ||
				   operand_type == DATEOID;
		case TEXTOID:
		case VARCHAROID:
		case NAMEOID:
			return is_text(operand_type);
		default:
			return column_type == operand_type;
	}
}

int
vfdw_encoding_of(Oid type)
{
	switch (type)
	{
		case BOOLOID:
			return VFDW_ENCODING_BOOL;
		case INT2OID:
			return VFDW_ENCODING_INT16;
		case INT4OID:
		case DATEOID:
		case OIDOID:
			return VFDW_ENCODING_INT32;
		case INT8OID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return VFDW_ENCODING_INT64;
		case FLOAT4OID:
			return VFDW_ENCODING_FLOAT32;
		case FLOAT8OID:
			return VFDW_ENCODING_FLOAT64;
		case UUIDOID:
			return VFDW_ENCODING_UUID;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
			return VFDW_ENCODING_TEXT;
		default:
			return VFDW_ENCODING_BINARY;
	}
}

static void
set_bytes(vfdw_bytes *bytes, const void *data, Size length)
{
	char *copy = palloc(length + 1);

	memcpy(copy, data, length);
	copy[length] = '\0';
	bytes->data = copy;
	bytes->length = length;
}

/* The lowest bytes of a number, the least significant first. */
static void
set_number(vfdw_bytes *bytes, int64 value, Size width)
{
	uint8 out[sizeof(int64)];

	for (Size i = 0; i < width; i++)
		out[i] = (uint8) ((uint64) value >> (8 * i));
	set_bytes(bytes, out, width);
}

static VfdwFit
encode_integer(Oid column_type, Oid operand_type, Datum datum, vfdw_bytes *bytes)
{
	Size width = column_type == INT2OID ? 2 : column_type == INT4OID ? 4 : 8;
	int64 most = column_type == INT2OID	  ? PG_INT16_MAX
				 : column_type == INT4OID ? PG_INT32_MAX
										  : PG_INT64_MAX;
	int64 value = operand_type == INT2OID	? DatumGetInt16(datum)
				  : operand_type == INT4OID ? DatumGetInt32(datum)
											: DatumGetInt64(datum);

	set_number(bytes, Min(Max(value, -most - 1), most), width);
	return value > most ? VFDW_FIT_BETWEEN : value < -most - 1 ? VFDW_FIT_BEFORE : VFDW_FIT_EQUAL;
}

static VfdwFit
encode_float(Oid column_type, Oid operand_type, Datum datum, vfdw_bytes *bytes)
{
	float8 value =
		operand_type == FLOAT4OID ? (float8) DatumGetFloat4(datum) : DatumGetFloat8(datum);
	float4 below;
	int32 bits;

	if (column_type == FLOAT8OID)
	{
		int64 wide_bits;

		memcpy(&wide_bits, &value, sizeof(wide_bits));
		set_number(bytes, wide_bits, sizeof(wide_bits));
		return VFDW_FIT_EQUAL;
	}
	below = (float4) value;
	if ((float8) below > value)
		below = nextafterf(below, -INFINITY);
	memcpy(&bits, &below, sizeof(bits));
	set_number(bytes, bits, sizeof(bits));
	return isnan(value) || (float8) below == value ? VFDW_FIT_EQUAL : VFDW_FIT_BETWEEN;
}

static VfdwFit
encode_date(Oid operand_type, Datum datum, vfdw_bytes *bytes)
{
	Timestamp timestamp;
	int64 day;

	if (operand_type == DATEOID)
	{
		set_number(bytes, DatumGetDateADT(datum), sizeof(DateADT));
		return VFDW_FIT_EQUAL;
	}
	timestamp = DatumGetTimestamp(datum);
	if (TIMESTAMP_NOT_FINITE(timestamp))
	{
		set_number(bytes, TIMESTAMP_IS_NOBEGIN(timestamp) ? DATEVAL_NOBEGIN : DATEVAL_NOEND,
				   sizeof(DateADT));
		return VFDW_FIT_EQUAL;
	}
	day = timestamp / USECS_PER_DAY - (timestamp % USECS_PER_DAY < 0);
	set_number(bytes, day, sizeof(DateADT));
	return day * USECS_PER_DAY == timestamp ? VFDW_FIT_EQUAL : VFDW_FIT_BETWEEN;
}

/* A date or timestamp too large lies between the last value and infinity. */
static VfdwFit
encode_timestamp(Oid column_type, Oid operand_type, Datum datum, vfdw_bytes *bytes)
{
	int overflow = 0;
	Timestamp value;

	if (operand_type == column_type)
		value = DatumGetTimestamp(datum);
	else if (operand_type == TIMESTAMPOID)
		value = timestamp2timestamptz_opt_overflow(DatumGetTimestamp(datum), &overflow);
	else if (column_type == TIMESTAMPOID)
		value = date2timestamp_opt_overflow(DatumGetDateADT(datum), &overflow);
	else
		value = date2timestamptz_opt_overflow(DatumGetDateADT(datum), &overflow);
	if (overflow > 0)
		value = END_TIMESTAMP - 1;
	else if (overflow < 0)
		value = DT_NOBEGIN;
	set_number(bytes, value, sizeof(value));
	return overflow != 0 ? VFDW_FIT_BETWEEN : VFDW_FIT_EQUAL;
}

static void
encode_text(Oid type, Datum datum, vfdw_bytes *bytes)
{
	char *string =
		type == NAMEOID ? pstrdup(NameStr(*DatumGetName(datum))) : TextDatumGetCString(datum);

	bytes->data = vfdw_to_utf8(string);
	bytes->length = strlen(bytes->data);
}

bool
vfdw_takes_jsonb(Datum value)
{
	JsonbIterator *iterator = JsonbIteratorInit(&DatumGetJsonbP(value)->root);
	JsonbIteratorToken token;
	JsonbValue part;
	int levels = 0;

	/* A scalar lies in an array of its own; one level that is none does not matter. */
	while ((token = JsonbIteratorNext(&iterator, &part, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT)
			levels++;
		else if (token == WJB_END_ARRAY || token == WJB_END_OBJECT)
			levels--;
		if (levels > VFDW_MAX_JSONB_DEPTH)
			return false;
	}
	return true;
}

/* jsonb_send() would recode the text for the client. */
static void
encode_jsonb(Datum datum, vfdw_bytes *bytes)
{
	Jsonb *jsonb = DatumGetJsonbP(datum);
	StringInfoData text;

	if (!vfdw_takes_jsonb(datum))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the operand of @> is nested too deeply for the vector daemon"),
				 errdetail("It has more than %d levels.", VFDW_MAX_JSONB_DEPTH),
				 errhint("Let PostgreSQL evaluate the condition: as a constant it does, or with "
						 "(column #> '{}') instead of the column.")));
	initStringInfo(&text);
	appendStringInfoChar(&text, JSONB_BINARY_VERSION);
	JsonbToCString(&text, &jsonb->root, VARSIZE(jsonb));
	bytes->data = text.data;
	bytes->length = text.len;
}

/* What the type's send function gives. Enums are sent as labels, in the client's encoding. */
static void
encode_binary(Oid type, Datum datum, vfdw_bytes *bytes)
{
	Oid function;
	bool is_varlena;
	bytea *sent;

	if (get_typtype(type) == TYPTYPE_ENUM)
	{
		getTypeOutputInfo(type, &function, &is_varlena);
		bytes->data = vfdw_to_utf8(OidOutputFunctionCall(function, datum));
		bytes->length = strlen(bytes->data);
		return;
	}
	getTypeBinaryOutputInfo(type, &function, &is_varlena);
	sent = OidSendFunctionCall(function, datum);
	bytes->data = VARDATA(sent);
	bytes->length = VARSIZE(sent) - VARHDRSZ;
}

VfdwFit
vfdw_encode_operand(Oid column_type, Oid operand_type, Datum value, vfdw_bytes *bytes)
{
	switch (column_type)
	{
		case BOOLOID:
			set_number(bytes, DatumGetBool(value), 1);
			return VFDW_FIT_EQUAL;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return encode_integer(column_type, operand_type, value, bytes);
		case FLOAT4OID:
		case FLOAT8OID:
			return encode_float(column_type, operand_type, value, bytes);
		case DATEOID:
			return encode_date(operand_type, value, bytes);
		case TIMEOID:
			set_number(bytes, DatumGetTimeADT(value), sizeof(TimeADT));
			return VFDW_FIT_EQUAL;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return encode_timestamp(column_type, operand_type, value, bytes);
		case UUIDOID:
			set_bytes(bytes, DatumGetUUIDP(value)->data, UUID_LEN);
			return VFDW_FIT_EQUAL;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
			encode_text(operand_type, value, bytes);
			return VFDW_FIT_EQUAL;
		case JSONBOID:
			encode_jsonb(value, bytes);
			return VFDW_FIT_EQUAL;
		default:
			encode_binary(column_type, value, bytes);
			return VFDW_FIT_EQUAL;
	}
}
