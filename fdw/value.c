/*
 * value.c
 *	  Values of replies to Datums.
 *
 * A reader is made once per column of a scan and picks, at the first value,
 * how what the daemon sent becomes the local type: by a direct copy for the
 * common types, else by the type's receive function from what its send
 * function gave in the source database.
 *
 * Text in replies is UTF-8 whatever the encodings of this session are. Nothing
 * from outside is trusted to be valid: text is verified, lengths were checked
 * when the reply arrived (client.cpp).
 *
 * Not here: types that hold vectors (vector_value.c).
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "fdw/clause.h"
#include "fdw/vector_value.h"

#define INTEGER_WIDTH(type)                                                                        \
	((type) == INT2OID ? 2 : (type) == INT4OID ? 4 : (type) == INT8OID ? 8 : 0)

struct VfdwValueReader
{
	const char *column; /* for messages */
	Oid type;			/* as declared, may be a domain */
	Oid base_type;
	int32 typmod;
	bool source_is_here; /* in this database, whose catalog knows the daemon's types */
	VfdwVectorType vector_type;
	/* of the base type; receive is looked up when it is first needed */
	FmgrInfo receive;
	Oid io_param;
	bool checked;	 /* what the daemon sends has been found to fit */
	Oid remote_type; /* that was checked */
	int encoding;
	bool is_padded; /* char(n) for another type of text: blanks at the end mean nothing */
};

VfdwValueReader *
vfdw_make_reader(const char *column, Oid type, int32 typmod, bool source_is_here)
{
	VfdwValueReader *reader = palloc0(sizeof(VfdwValueReader));

	reader->column = pstrdup(column);
	reader->type = type;
	reader->typmod = typmod;
	reader->source_is_here = source_is_here;
	reader->base_type = getBaseTypeAndTypmod(type, &reader->typmod);
	reader->vector_type = vfdw_vector_type(type);
	return reader;
}

static void
need_receive_function(VfdwValueReader *reader)
{
	Oid function;

	if (OidIsValid(reader->receive.fn_oid))
		return;
	getTypeBinaryInputInfo(reader->base_type, &function, &reader->io_param);
	fmgr_info_cxt(function, &reader->receive, GetMemoryChunkContext(reader));
}

/* OIDs below are the same in every database of every server. */
static bool
is_everywhere(Oid type)
{
	return type < FirstGenbkiObjectId;
}

/* What the remote type, maybe a domain, is made of; InvalidOid if nobody here knows. */
static Oid
remote_base_type(const VfdwValueReader *reader, Oid remote_type)
{
	if (is_everywhere(remote_type))
		return remote_type;
	if (!reader->source_is_here || !SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(remote_type)))
		return InvalidOid;
	return getBaseType(remote_type);
}

/*
 * Whether values of a type that another database's users made, or of a domain there, can be read
 * as the local type. A type of users here is believed to be the same one; others, if no other type
 * has that encoding.
 */
static bool
fits_foreign(const VfdwValueReader *reader, int encoding)
{
	bool ambiguous = encoding == VFDW_ENCODING_INT32 || encoding == VFDW_ENCODING_INT64 ||
					 encoding == VFDW_ENCODING_BINARY;

	return !reader->source_is_here && vfdw_encoding_of(reader->base_type) == encoding &&
		   (!ambiguous || !is_everywhere(reader->type));
}

/* Whether values of that remote type, of which "remote" is the base type, can be read. */
static bool
fits(const VfdwValueReader *reader, Oid remote, int encoding)
{
	Oid local = reader->base_type;

	switch (encoding)
	{
		case VFDW_ENCODING_VECTOR:
			return reader->vector_type != VFDW_TYPE_NO_VECTOR;
		case VFDW_ENCODING_TEXT:
			return local == TEXTOID || local == VARCHAROID || local == BPCHAROID ||
				   local == NAMEOID;
		default:
			if (!OidIsValid(remote))
				return fits_foreign(reader, encoding);
			if (vfdw_encoding_of(remote) != encoding)
				return false;
			if (local == remote)
				return true;
			if (remote == FLOAT4OID)
				return local == FLOAT8OID;
			return INTEGER_WIDTH(remote) != 0 && INTEGER_WIDTH(local) > INTEGER_WIDTH(remote);
	}
}

static void
check_fit(VfdwValueReader *reader, const vfdw_column *column)
{
	Oid remote;

	if (reader->checked && reader->remote_type == column->type_oid &&
		reader->encoding == column->encoding)
		return;
	remote = remote_base_type(reader, column->type_oid);
	if (!fits(reader, remote, column->encoding))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("column \"%s\" of type %s cannot hold what the vector daemon serves",
						reader->column, format_type_be(reader->type)),
				 errdetail("The daemon serves %s.",
						   column->encoding == VFDW_ENCODING_VECTOR ? "a vector"
						   : OidIsValid(remote) ? format_type_extended(column->type_oid, -1, 0)
												: "a type that this database does not have"),
				 errhint(OidIsValid(remote)
							 ? "Give the foreign table's column the type of the source column."
							 : "Create a domain here like the source column's, and give it to the "
							   "foreign table's column.")));
	reader->checked = true;
	reader->remote_type = column->type_oid;
	reader->encoding = column->encoding;
	reader->is_padded = remote == BPCHAROID && reader->base_type != BPCHAROID;
}

/*
 * Of a declared length or precision, as an explicit cast makes it: cut, padded, rounded. A value
 * that has it already stays as it is. Receive functions see to it themselves.
 */
static Datum
coerce_length(const VfdwValueReader *reader, Datum value)
{
	Datum typmod = Int32GetDatum(reader->typmod);

	if (reader->typmod == -1)
		return value;
	switch (reader->base_type)
	{
		case VARCHAROID:
			return DirectFunctionCall3(varchar, value, typmod, BoolGetDatum(true));
		case BPCHAROID:
			return DirectFunctionCall3(bpchar, value, typmod, BoolGetDatum(true));
		case TIMEOID:
			return DirectFunctionCall2(time_scale, value, typmod);
		case TIMESTAMPOID:
			return DirectFunctionCall2(timestamp_scale, value, typmod);
		case TIMESTAMPTZOID:
			return DirectFunctionCall2(timestamptz_scale, value, typmod);
		default:
			return value;
	}
}

static Datum
text_value(const VfdwValueReader *reader, const char *bytes, uint32 length)
{
	char *converted = pg_any_to_server(bytes, (int) length, PG_UTF8);

	if (converted != bytes)
		length = (uint32) strlen(converted);
	if (reader->is_padded)
		length = (uint32) bpchartruelen(converted, (int) length);
	if (reader->base_type == NAMEOID)
	{
		Name name = palloc0(NAMEDATALEN);

		memcpy(name, converted, pg_mbcliplen(converted, (int) length, NAMEDATALEN - 1));
		return NameGetDatum(name);
	}
	return coerce_length(reader,
						 PointerGetDatum(cstring_to_text_with_len(converted, (int) length)));
}

/*
 * Receive functions convert text from the client's encoding, but this came
 * from a session of the daemon, whose encoding is UTF-8.
 */
static Datum
receive_as_utf8(VfdwValueReader *reader, StringInfo message)
{
	int client_encoding = pg_get_client_encoding();
	volatile Datum value = (Datum) 0;

	if (client_encoding == PG_UTF8 || PrepareClientEncoding(PG_UTF8) < 0)
		return ReceiveFunctionCall(&reader->receive, message, reader->io_param, reader->typmod);

	PG_TRY();
	{
		SetClientEncoding(PG_UTF8);
		value = ReceiveFunctionCall(&reader->receive, message, reader->io_param, reader->typmod);
	}
	PG_FINALLY();
	{
		SetClientEncoding(client_encoding);
	}
	PG_END_TRY();
	return value;
}

static Datum
binary_value(VfdwValueReader *reader, const char *bytes, uint32 length)
{
	StringInfoData message;
	Datum value;

	need_receive_function(reader);
	/* A copy, because receive functions may write into the message and want a NUL after it. */
	initStringInfo(&message);
	appendBinaryStringInfo(&message, bytes, (int) length);
	/* Of the types without text inside, numeric is the one that many rows are read of. */
	value = reader->base_type == NUMERICOID
				? ReceiveFunctionCall(&reader->receive, &message, reader->io_param, reader->typmod)
				: receive_as_utf8(reader, &message);
	if (message.cursor != message.len)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("vector daemon sent a value of column \"%s\" that type %s does not accept",
						reader->column, format_type_be(reader->type))));
	pfree(message.data);
	return value;
}

static Datum
integer_value(const VfdwValueReader *reader, int64 value)
{
	switch (reader->base_type)
	{
		case INT2OID:
			return Int16GetDatum((int16) value);
		case INT8OID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return coerce_length(reader, Int64GetDatum(value));
		default: /* int4, date, oid and its kin */
			return Int32GetDatum((int32) value);
	}
}

static Datum
uuid_value(const uint8_t *bytes)
{
	pg_uuid_t *uuid = palloc(sizeof(pg_uuid_t));

	memcpy(uuid->data, bytes, UUID_LEN);
	return UUIDPGetDatum(uuid);
}

static Datum
vector_value(VfdwValueReader *reader, const float *values, uint32 dimensions, uint32 row)
{
	if (reader->vector_type == VFDW_TYPE_VECTOR || reader->vector_type == VFDW_TYPE_HALFVEC)
		need_receive_function(reader);
	return vfdw_make_vector(reader->vector_type, &reader->receive, reader->io_param, reader->typmod,
							values + (size_t) row * dimensions, dimensions);
}

Datum
vfdw_read_value(VfdwValueReader *reader, const vfdw_rows *rows, size_t column_number, uint32 row,
				bool *isnull)
{
	const vfdw_column *column = &rows->columns[column_number];

	check_fit(reader, column);
	*isnull = column->nulls != NULL && (column->nulls[row / 8] & (1 << (row % 8))) != 0;
	if (*isnull)
		return (Datum) 0;

	switch (column->encoding)
	{
		case VFDW_ENCODING_BOOL:
			return BoolGetDatum(((const uint8_t *) column->values)[row] != 0);
		case VFDW_ENCODING_INT16:
			return integer_value(reader, ((const int16_t *) column->values)[row]);
		case VFDW_ENCODING_INT32:
			return integer_value(reader, ((const int32_t *) column->values)[row]);
		case VFDW_ENCODING_INT64:
			return integer_value(reader, ((const int64_t *) column->values)[row]);
		case VFDW_ENCODING_FLOAT32:
			if (reader->base_type == FLOAT8OID)
				return Float8GetDatum(((const float *) column->values)[row]);
			return Float4GetDatum(((const float *) column->values)[row]);
		case VFDW_ENCODING_FLOAT64:
			return Float8GetDatum(((const double *) column->values)[row]);
		case VFDW_ENCODING_UUID:
			return uuid_value((const uint8_t *) column->values + (size_t) row * UUID_LEN);
		case VFDW_ENCODING_VECTOR:
			return vector_value(reader, column->values, rows->dimensions, row);
		case VFDW_ENCODING_TEXT:
			return text_value(reader, column->heap + column->ends[row],
							  column->ends[row + 1] - column->ends[row]);
		default: /* check_fit() leaves only this */
			return binary_value(reader, column->heap + column->ends[row],
								column->ends[row + 1] - column->ends[row]);
	}
}
