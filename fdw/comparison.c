/*
 * comparison.c
 *	  Which operators compare values as the daemon does?
 *
 * Members of the default btree family of the column's type, all built in, and
 * negators of its equality. What a type's order and equality mean over there
 * stands in shared/PROTOCOL.md, "Kinds of filter nodes".
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/lsyscache.h"
#include "utils/pg_locale.h"
#include "utils/typcache.h"

#include "fdw/clause.h"

bool
vfdw_is_built_in(Oid oid)
{
	return OidIsValid(oid) && oid < FirstNormalObjectId;
}

static bool
orders_bytes(Oid collation)
{
#if PG_VERSION_NUM >= 180000
	return pg_newlocale_from_collation(collation)->collate_is_c;
#else
	return lc_collate_is_c(collation);
#endif
}

bool
vfdw_texts_are_bytes(Oid collation, bool ordered)
{
	if (GetDatabaseEncoding() != PG_UTF8 || !OidIsValid(collation))
		return false;
	return ordered ? orders_bytes(collation) : get_collation_isdeterministic(collation);
}

bool
vfdw_compares(Oid type, Oid collation, bool ordered)
{
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case DATEOID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
		case UUIDOID:
		case NUMERICOID:
		case BYTEAOID:
			return true;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
			return vfdw_texts_are_bytes(collation, ordered);
		default:
			return !ordered && get_typtype(type) == TYPTYPE_ENUM;
	}
}

int
vfdw_kind_of_comparison(Oid opno, Oid column_type)
{
	static const int kinds[] = {
		[BTLessStrategyNumber] = VFDW_FILTER_LESS,
		[BTLessEqualStrategyNumber] = VFDW_FILTER_LESS_EQUAL,
		[BTEqualStrategyNumber] = VFDW_FILTER_EQUAL,
		[BTGreaterEqualStrategyNumber] = VFDW_FILTER_GREATER_EQUAL,
		[BTGreaterStrategyNumber] = VFDW_FILTER_GREATER,
	};
	Oid family = lookup_type_cache(column_type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	int strategy;
	Oid left;
	Oid right;

	if (!vfdw_is_built_in(opno) || !vfdw_is_built_in(family))
		return 0;
	if (op_in_opfamily(opno, family))
	{
		get_op_opfamily_properties(opno, family, false, &strategy, &left, &right);
		return strategy > 0 && strategy < (int) lengthof(kinds) ? kinds[strategy] : 0;
	}
	opno = get_negator(opno);
	if (!vfdw_is_built_in(opno) || !op_in_opfamily(opno, family))
		return 0;
	get_op_opfamily_properties(opno, family, false, &strategy, &left, &right);
	return strategy == BTEqualStrategyNumber ? VFDW_FILTER_NOT_EQUAL : 0;
}
