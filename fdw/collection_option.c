/*
 * collection_option.c
 *	  The options of a collection: the jsonb argument of create_collection().
 *
 * One table of rows says which there are, what their values must be, which
 * kinds of index know them, and whether a change means a rebuild. The daemon
 * reads the same names from the catalog; its own tables have the same bounds
 * (daemon/index/index_spec.h, daemon/collection/definition.cpp).
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/numeric.h"

#include "fdw/definition.h"
#include "fdw/vector_fdw.h"

enum
{
	FITS_HNSW = 1,
	FITS_IVF = 2,
	FITS_FLAT = 4,
	FITS_ALL = 7
};

typedef enum ValueKind
{
	VALUE_INTEGER, /* JSON number without fraction, within bounds */
	VALUE_NUMBER,  /* JSON number within bounds */
	VALUE_SIZE,	   /* JSON string like "4GB" */
	VALUE_WORD	   /* JSON string, one of words */
} ValueKind;

typedef struct CollectionOption
{
	const char *name;
	ValueKind kind;
	double min;
	double max;
	const char *words; /* separated by ", " */
	int fits;
	bool rebuild;
} CollectionOption;

static const CollectionOption collection_options[] = {
	{"m", VALUE_INTEGER, 2, 100, NULL, FITS_HNSW, true},
	{"ef_construction", VALUE_INTEGER, 4, 4000, NULL, FITS_HNSW, true},
	{"ef_search", VALUE_INTEGER, VFDW_MIN_EF_SEARCH, VFDW_MAX_EF_SEARCH, NULL, FITS_HNSW, false},
	{"nlist", VALUE_INTEGER, 1, 1000000, NULL, FITS_IVF, true},
	{"nprobe", VALUE_INTEGER, 1, VFDW_MAX_NPROBE, NULL, FITS_IVF, false},
	{"target_recall", VALUE_NUMBER, VFDW_MIN_TARGET_RECALL, 1, NULL, FITS_ALL, false},
	{"quantizer", VALUE_WORD, 0, 0, "none, fp16, sq8, pq", FITS_HNSW | FITS_IVF, true},
	{"oversample", VALUE_NUMBER, 1, 1000, NULL, FITS_HNSW | FITS_IVF, false},
	{"storage", VALUE_WORD, 0, 0, "ram, disk", FITS_ALL, true},
	{"memory_limit", VALUE_SIZE, 0, 0, NULL, FITS_ALL, false},
	{"dimensions", VALUE_INTEGER, 1, VFDW_MAX_DIMENSIONS, NULL, FITS_ALL, true},
};

static int
fit_of_index(const char *index)
{
	if (strcmp(index, "hnsw") == 0)
		return FITS_HNSW;
	if (strcmp(index, "ivf") == 0)
		return FITS_IVF;
	return FITS_FLAT;
}

static const CollectionOption *
find_option(const char *name)
{
	for (int i = 0; i < lengthof(collection_options); i++)
	{
		if (strcmp(collection_options[i].name, name) == 0)
			return &collection_options[i];
	}
	return NULL;
}

static char *
names_for_index(int fit)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(collection_options); i++)
	{
		if ((collection_options[i].fits & fit) != 0)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", collection_options[i].name);
	}
	return names.data;
}

static char *
expectation(const CollectionOption *option)
{
	switch (option->kind)
	{
		case VALUE_INTEGER:
			return psprintf("an integer between %.0f and %.0f", option->min, option->max);
		case VALUE_NUMBER:
			return psprintf("a number between %g and %g", option->min, option->max);
		case VALUE_SIZE:
			return pstrdup(
				"a string of an integer and one of the units kB, MB, GB and TB, like \"4GB\"");
		case VALUE_WORD:
			return psprintf("one of the strings %s", option->words);
	}
	pg_unreachable();
}

static bool
is_size(const char *value)
{
	size_t digits = strspn(value, "0123456789");
	const char *unit = value + digits;
	int kilobytes;

	if (digits == 0 || (strcmp(unit, "kB") != 0 && strcmp(unit, "MB") != 0 &&
						strcmp(unit, "GB") != 0 && strcmp(unit, "TB") != 0))
		return false;
	return parse_int(value, &kilobytes, GUC_UNIT_KB, NULL) && kilobytes > 0;
}

static bool
is_word(const char *words, const char *value)
{
	for (const char *word = words; word[0] != '\0'; word += strspn(word, ", "))
	{
		size_t length = strcspn(word, ",");

		if (strlen(value) == length && strncmp(word, value, length) == 0)
			return true;
		word += length;
	}
	return false;
}

static bool
is_number(const CollectionOption *option, const JsonbValue *value)
{
	double number;

	if (value->type != jbvNumeric)
		return false;
	number = DatumGetFloat8(
		DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->val.numeric)));
	return number >= option->min && number <= option->max &&
		   (option->kind != VALUE_INTEGER || number == (int) number);
}

/* The value as in the document, for messages. */
static char *
value_text(JsonbValue *value)
{
	Jsonb *document = JsonbValueToJsonb(value);

	return JsonbToCString(NULL, &document->root, VARSIZE(document));
}

static void
check_value(const CollectionOption *option, JsonbValue *value)
{
	bool valid;
	char *string = NULL;

	if (value->type == jbvString)
		string = pnstrdup(value->val.string.val, value->val.string.len);
	if (option->kind == VALUE_SIZE)
		valid = string != NULL && is_size(string);
	else if (option->kind == VALUE_WORD)
		valid = string != NULL && is_word(option->words, string);
	else
		valid = is_number(option, value);

	if (!valid)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("invalid value for collection option \"%s\": %s", option->name,
							   value_text(value)),
						errdetail("The value must be %s.", expectation(option))));
}

void
vfdw_check_collection_options(Jsonb *options, const char *index)
{
	const int fit = fit_of_index(index);
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue key;

	if (!JB_ROOT_IS_OBJECT(options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the options of a collection must be a JSON object"),
				 errdetail("They are %s.", JsonbToCString(NULL, &options->root, VARSIZE(options))),
				 errhint("Write them like '{\"m\": 16, \"ef_construction\": 64}'.")));

	iterator = JsonbIteratorInit(&options->root);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		JsonbValue value;
		const CollectionOption *option;
		char *name;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		name = pnstrdup(key.val.string.val, key.val.string.len);
		option = find_option(name);
		if (option == NULL)
			ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
							errmsg("unknown collection option \"%s\"", name),
							errdetail("No collection has an option of that name."),
							errhint("Valid options of a collection with the index \"%s\" are: %s.",
									index, names_for_index(fit))));
		/* A null removes the option: always allowed. */
		if (value.type == jbvNull)
			continue;
		check_value(option, &value);
		if ((option->fits & fit) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("collection option \"%s\" does not fit the index \"%s\"", name, index),
					 errdetail("Options that do are: %s.", names_for_index(fit)),
					 errhint("Leave it out; alter_collection() removes it with options => "
							 "'{\"%s\": null}'.",
							 name)));
	}
}

static JsonbValue *
find_value(Jsonb *options, const char *name)
{
	return getKeyJsonValueFromContainer(&options->root, name, strlen(name), NULL);
}

static bool
same_value(const JsonbValue *a, const JsonbValue *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (a->type != b->type)
		return false;
	if (a->type == jbvNumeric)
		return DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(a->val.numeric),
												NumericGetDatum(b->val.numeric)));
	return a->type == jbvString && a->val.string.len == b->val.string.len &&
		   memcmp(a->val.string.val, b->val.string.val, a->val.string.len) == 0;
}

Jsonb *
vfdw_merge_collection_options(Jsonb *old, Jsonb *change, bool *rebuild)
{
	Datum merged = DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(old), JsonbPGetDatum(change));
	Jsonb *result = DatumGetJsonbP(DirectFunctionCall1(jsonb_strip_nulls, merged));

	for (int i = 0; i < lengthof(collection_options); i++)
	{
		const CollectionOption *option = &collection_options[i];

		if (option->rebuild &&
			!same_value(find_value(old, option->name), find_value(result, option->name)))
			*rebuild = true;
	}
	return result;
}

int
vfdw_integer_option(Jsonb *options, const char *name)
{
	JsonbValue *value = find_value(options, name);

	if (value == NULL || value->type != jbvNumeric)
		return 0;
	return DatumGetInt32(DirectFunctionCall1(numeric_int4, NumericGetDatum(value->val.numeric)));
}

double
vfdw_number_option(Jsonb *options, const char *name)
{
	JsonbValue *value = find_value(options, name);

	if (value == NULL || value->type != jbvNumeric)
		return 0;
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(value->val.numeric)));
}
