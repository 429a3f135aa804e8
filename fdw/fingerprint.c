/*
 * fingerprint.c
 *	  64-bit hashes of column values that are the same for a row of a source
 *	  table and for what vectord has of it.
 *
 * A value of a reply becomes a local Datum first (value.c), so encodings and
 * text are converted as they are for queries. Vectors do not: their float4
 * elements are hashed as they are, whatever the type of the source column.
 *
 * Datums are compared by their bytes where these are all there is to a value,
 * else by what the type's send function says of them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/lsyscache.h"

#include "fdw/fingerprint.h"

/* Hashed in place of a NULL: no value has that length and these bytes. */
static const char null_mark[] = "vector_fdw: NULL";

struct VfdwFingerprint
{
	Oid type;
	VfdwVectorType vector_type; /* of the vector column only */
	int16 length;
	bool by_value;
	bool is_text;
	FmgrInfo send; /* set up for the rest of the varlena types */
	VfdwValueReader *reader;
};

VfdwFingerprint *
vfdw_make_fingerprint(const char *column, Oid type, int32 typmod, bool is_vector)
{
	VfdwFingerprint *print = palloc0(sizeof(VfdwFingerprint));
	Oid base = getBaseType(type);
	Oid send;
	bool is_varlena;

	print->type = type;
	if (is_vector)
	{
		print->vector_type = vfdw_vector_type(type);
		return print;
	}
	get_typlenbyval(base, &print->length, &print->by_value);
	print->is_text = base == TEXTOID || base == VARCHAROID || base == BPCHAROID;
	print->reader = vfdw_make_reader(column, type, typmod, true);
	if (!print->by_value && print->length < 0 && !print->is_text)
	{
		getTypeBinaryOutputInfo(base, &send, &is_varlena);
		fmgr_info(send, &print->send);
	}
	return print;
}

/* Never longer than a value of PostgreSQL, hence than an int. */
static void
add_bytes(const void *bytes, Size length, uint64 *hash)
{
	*hash = hash_bytes_extended(bytes, (int) length, *hash);
}

static void
hash_varlena(struct varlena *value, uint64 *hash)
{
	struct varlena *plain = PG_DETOAST_DATUM_PACKED(PointerGetDatum(value));

	add_bytes(VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain), hash);
}

static void
hash_datum(VfdwFingerprint *print, Datum value, uint64 *hash)
{
	if (print->by_value)
		add_bytes(&value, sizeof(value), hash);
	else if (print->length > 0)
		add_bytes(DatumGetPointer(value), print->length, hash);
	else if (print->is_text)
		hash_varlena((struct varlena *) DatumGetPointer(value), hash);
	else
		hash_varlena(SendFunctionCall(&print->send, value), hash);
}

bool
vfdw_hash_value(VfdwFingerprint *print, Datum value, bool isnull, size_t dimensions, uint64 *hash)
{
	float *elements;
	size_t count;

	if (isnull)
		add_bytes(null_mark, sizeof(null_mark), hash);
	else if (print->vector_type == VFDW_TYPE_NO_VECTOR)
		hash_datum(print, value, hash);
	else
	{
		if (!vfdw_stored_vector(value, print->type, print->vector_type, &elements, &count) ||
			(dimensions != 0 && count != dimensions))
			return false;
		add_bytes(elements, sizeof(float) * count, hash);
	}
	return true;
}

static void
hash_vector(const vfdw_rows *rows, const vfdw_column *column, uint32 row, uint64 *hash)
{
	const Size bytes = sizeof(float) * rows->dimensions;

	if (column->encoding != VFDW_ENCODING_VECTOR)
		elog(ERROR, "the daemon sent something else than the collection's vectors");
	if (column->nulls != NULL && (column->nulls[row / 8] >> (row % 8) & 1) != 0)
		add_bytes(null_mark, sizeof(null_mark), hash);
	else
		add_bytes((const char *) column->values + row * bytes, bytes, hash);
}

void
vfdw_hash_reply(VfdwFingerprint *print, const vfdw_rows *rows, size_t column, uint32 row,
				uint64 *hash)
{
	bool isnull;
	Datum value;

	if (print->vector_type != VFDW_TYPE_NO_VECTOR)
	{
		hash_vector(rows, &rows->columns[column], row, hash);
		return;
	}
	value = vfdw_read_value(print->reader, rows, column, row, &isnull);
	(void) vfdw_hash_value(print, value, isnull, 0, hash);
}
