/*
 * errors.h - every error that crosses the wire, once. Valid C and C++.
 *
 * The number is part of the protocol: it is never reused and never changes.
 * The backend turns a number into its SQLSTATE, and falls back to the hint
 * here when the daemon sent none. "retry" says whether the same request may
 * succeed later without anyone changing anything.
 */
#ifndef VECTOR_FDW_SHARED_ERRORS_H
#define VECTOR_FDW_SHARED_ERRORS_H

/*    name                 no.  SQLSTATE  retry  what the operator does next */
#define VFDW_ERRORS(X)                                                                           \
  X(PROTOCOL_MISMATCH, 1, "08P01", false, "Install the same version of vector_fdw and vectord.") \
  X(MALFORMED_MESSAGE, 2, "08P01", false, "Check that the endpoint is one of vectord.")          \
  X(UNKNOWN_OPERATION, 3, "0A000", false, "Install the same version of vector_fdw and vectord.") \
  X(COLLECTION_MISSING, 10, "HV00R", false,                                                      \
    "Create it with vector_fdw.create_collection(), or correct the option \"collection\".")      \
  X(COLUMN_MISSING, 11, "HV005", false,                                                          \
    "Add the column to the collection's \"include\" list, or correct the column's name.")        \
  X(WRONG_TYPE, 12, "HV004", false,                                                              \
    "Give the foreign table's column the type of the source column.")                            \
  X(INVALID_VECTOR, 13, "22023", false,                                                          \
    "Search with a vector of the collection's dimensions and finite elements.")                  \
  X(INVALID_PARAMETER, 14, "22023", false, "Correct the parameter.")                             \
  X(NOT_READY, 20, "57P03", true,                                                                \
    "Wait with vector_fdw.wait_for_collection(), and see vector_fdw.stat_collections.")          \
  X(UNLOADED, 21, "57P03", true, "Load it with vector_fdw.load_collection().")                   \
  X(SHUTTING_DOWN, 22, "57P03", true, "Retry when vectord runs again.")                          \
  X(OVERLOADED, 23, "53000", true, "Retry, or raise the limit in vectord.toml.")                 \
  X(OUT_OF_MEMORY, 24, "53200", false,                                                           \
    "Raise [memory] limit in vectord.toml, or the collection's option \"memory_limit\".")        \
  X(DISK_FULL, 25, "53100", true, "Free space under [data] directory.")                          \
  X(LIMIT_EXCEEDED, 26, "53400", false, "Ask for less at once.")                                 \
  X(CANCELED, 30, "57014", true, "Run the query again.")                                         \
  X(DEADLINE_EXCEEDED, 31, "57014", true, "Raise vector_fdw.request_timeout.")                   \
  X(SNAPSHOT_TOO_OLD, 40, "72000", true, "Run the query again.")                                 \
  X(SOURCE_UNREACHABLE, 50, "08001", true, "Check the [[source]] section of vectord.toml.")      \
  X(SOURCE_FAILED, 51, "58000", true, "See the log of vectord.")                                 \
  X(SOURCE_REFUSED, 52, "55000", false, "Alter the collection or its source table.")             \
  X(BAD_CONFIG, 53, "F0000", false, "Correct vectord.toml.")                                     \
  X(CORRUPT, 54, "XX001", false, "The files are set aside and rebuilt from the table.")          \
  X(IO, 55, "58030", true, "See the log of vectord.")                                            \
  X(NOT_PERMITTED, 60, "42501", false, "Ask the owner of the source table.")                     \
  X(UNAVAILABLE, 70, "08001", true, "Check that the vectord service is running.")                \
  X(CONNECTION_LOST, 71, "08006", true, "Run the query again; see the log of vectord.")          \
  X(INTERNAL, 99, "XX000", false, "Report this with the log of vectord.")

#define VFDW_ERROR_ENUM_(name, number, sqlstate, retry, hint) VFDW_ERR_##name = number,
enum vfdw_error_code { VFDW_ERR_NONE = 0, VFDW_ERRORS(VFDW_ERROR_ENUM_) };
#undef VFDW_ERROR_ENUM_

#endif
