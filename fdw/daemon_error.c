/*
 * daemon_error.c
 *	  What a daemon or client.cpp said, as PostgreSQL says it.
 *
 * A vfdw_error is UTF-8 whatever the database's encoding is, because it comes
 * from the wire. client.cpp has made sure that it is valid and has no control
 * characters; here it is converted, and never fails for a character that the
 * database's encoding lacks: the original error matters more.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"

#include "fdw/daemon_error.h"

char *
vfdw_printable(const char *utf8)
{
	int encoding = GetDatabaseEncoding();
	int length = strlen(utf8);
	char *text;
	Oid conversion;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return pstrdup(utf8);
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	text = palloc0((Size) length * MAX_CONVERSION_GROWTH + 1);
	if (OidIsValid(conversion) &&
		pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding, (unsigned char *) utf8, length,
									  (unsigned char *) text, length * MAX_CONVERSION_GROWTH + 1,
									  true) == length)
		return text;
	strcpy(text, utf8);
	for (char *c = text; *c != '\0'; c++)
		if (IS_HIGHBIT_SET(*c))
			*c = '?';
	return text;
}

char *
vfdw_to_utf8(const char *text)
{
	return pg_server_to_any(text, strlen(text), PG_UTF8);
}

static void
copy_as_utf8(char *out, size_t size, const char *text)
{
	char *utf8 = vfdw_to_utf8(text);
	int length = pg_encoding_mbcliplen(PG_UTF8, utf8, strlen(utf8), size - 1);

	memcpy(out, utf8, length);
	out[length] = '\0';
}

void
vfdw_fill_error(vfdw_error *error, int code, const char *sqlstate, const char *message,
				const char *detail, const char *hint)
{
	error->code = code;
	strlcpy(error->sqlstate, sqlstate, sizeof(error->sqlstate));
	copy_as_utf8(error->message, sizeof(error->message), message);
	copy_as_utf8(error->detail, sizeof(error->detail), detail);
	copy_as_utf8(error->hint, sizeof(error->hint), hint);
}

void
vfdw_throw(const vfdw_error *error, const VfdwOptions *options)
{
	const char *s = error->sqlstate;
	char *detail = vfdw_printable(error->detail);
	char *hint = vfdw_printable(error->hint);

	if (error->code == VFDW_ERR_CONNECTION_LOST && detail[0] != '\0' && options != NULL)
		detail = psprintf("%s Server: \"%s\".", detail, options->server_name);
	ereport(ERROR, (errcode(MAKE_SQLSTATE(s[0], s[1], s[2], s[3], s[4])),
					errmsg("%s", vfdw_printable(error->message)),
					detail[0] != '\0' ? errdetail("%s", detail) : 0,
					hint[0] != '\0' ? errhint("%s", hint) : 0));
}

bool
vfdw_is_unavailability(const vfdw_error *error)
{
	switch (error->code)
	{
		case VFDW_ERR_UNAVAILABLE:
		case VFDW_ERR_CONNECTION_LOST:
		case VFDW_ERR_NOT_READY:
		case VFDW_ERR_UNLOADED:
		case VFDW_ERR_SHUTTING_DOWN:
		case VFDW_ERR_DEADLINE_EXCEEDED:
		case VFDW_ERR_OUT_OF_MEMORY:
			return true;
		default:
			return false;
	}
}
