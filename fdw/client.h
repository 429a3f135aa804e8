/*
 * client.h - talking to one vectord: the C ABI between fdw/ *.c and client.cpp.
 *
 * Valid C and C++; knows neither PostgreSQL nor ZeroMQ. The rules:
 *
 *  1. No function blocks, waits or throws, and none calls back. The caller waits on
 *     vfdw_client_descriptor(), for readability and, while vfdw_client_has_unsent(), for
 *     writability, and then calls vfdw_client_poll().
 *  2. A function that can fail returns false (or 0) and fills *error, which the caller owns and
 *     which is never NULL. Nothing needs to be freed after a failure.
 *  3. Inputs are pointers plus lengths (or NUL-terminated names), needed during the call only.
 * Texts are UTF-8, both ways.
 *  4. A vfdw_reply is owned by the caller from vfdw_client_take() to vfdw_reply_free(); what its
 *     accessors return points into it.
 *  5. A client belongs to one thread of one process. After fork() it must not be touched.
 *
 * Requests carry ids, so any number may be under way at once and replies may come in any order.
 * A reply whose request was forgotten is dropped when it arrives.
 */
#ifndef VECTOR_FDW_CLIENT_H
#define VECTOR_FDW_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define VFDW_NOEXCEPT noexcept
#else
#define VFDW_NOEXCEPT
#endif

typedef struct vfdw_client vfdw_client;
typedef struct vfdw_reply vfdw_reply;

/* Why something failed. code is of shared/errors.h; texts are UTF-8, cut at a character. */
typedef struct vfdw_error {
  int code;
  char sqlstate[6];
  char message[512];
  char detail[1024];
  char hint[512];
} vfdw_error;

typedef struct vfdw_endpoint {
  const char* endpoint;          /* "ipc:///path" or "tcp://host:port" */
  const char* server_public_key; /* Z85; NULL without CURVE */
  const char* public_key;
  const char* secret_key;
  int64_t max_reply_bytes;
} vfdw_endpoint;

/*
 * Makes a client and starts to connect; fails with UNAVAILABLE when it is known at once that nobody
 * listens. A client that needs threads has them made by the first call in a process, with all
 * signals blocked in them.
 */
bool vfdw_client_open(const vfdw_endpoint* endpoint, vfdw_client** out,
                      vfdw_error* error) VFDW_NOEXCEPT;
void vfdw_client_close(vfdw_client* client) VFDW_NOEXCEPT; /* NULL is allowed; drops all requests */

/*
 * Whether a client of this endpoint is served by threads, which live as long as the process: tcp
 * and CURVE. All others use one descriptor, and no thread.
 */
bool vfdw_endpoint_needs_threads(const vfdw_endpoint* endpoint) VFDW_NOEXCEPT;

/*
 * To be watched for readability, and for writability while something is unsent. Valid until the
 * next call of poll, close or reconnect. -1: there is none at present; poll again soon.
 */
int vfdw_client_descriptor(const vfdw_client* client) VFDW_NOEXCEPT;
bool vfdw_client_has_unsent(const vfdw_client* client) VFDW_NOEXCEPT;

/*
 * Takes in all that has arrived. Must be called before every sleep on the descriptor and after
 * every send. Returns whether the daemon is connected now; false is not an error: it may be
 * connecting still. Requests that were under way when a connection broke fail with
 * CONNECTION_LOST.
 */
bool vfdw_client_poll(vfdw_client* client) VFDW_NOEXCEPT;

/*
 * Drops the connection and everything under way on it, and starts to connect anew. A connection
 * that broke stays broken until then, so that a loss cannot be overlooked. The descriptor
 * changes; requests that nobody has taken yet fail with CONNECTION_LOST, and the cursors are
 * gone.
 */
bool vfdw_client_reconnect(vfdw_client* client, vfdw_error* error) VFDW_NOEXCEPT;

/*
 * Drops the connection if there is neither a request that nobody has taken yet nor a cursor; else
 * returns false. A client that hung up is as one whose connection broke.
 */
bool vfdw_client_hang_up_if_idle(vfdw_client* client) VFDW_NOEXCEPT;

/* Whether the connection broke, or was refused, since it was last started; then *error says why. */
bool vfdw_client_has_failed(const vfdw_client* client, vfdw_error* error) VFDW_NOEXCEPT;

/*
 * Whether the last reply said that no other client asks the daemon anything: only then may a
 * caller look for a reply without sleeping, and not for long.
 */
bool vfdw_client_is_alone(const vfdw_client* client) VFDW_NOEXCEPT;

/* Connections that were started so far. Cursors belong to one. */
uint64_t vfdw_client_connects(const vfdw_client* client) VFDW_NOEXCEPT;

/* Messages of any kind that have come in so far: tells a slow daemon from a silent one. */
uint64_t vfdw_client_arrivals(const vfdw_client* client) VFDW_NOEXCEPT;

/* ---- requests: each returns the request's id, or 0 with *error ---- */

typedef struct vfdw_bytes {
  const char* data;
  size_t length;
} vfdw_bytes;

/* A step of a filter in postfix order: messages.h, FilterNode. */
typedef struct vfdw_filter_node {
  int kind; /* enum vfdw_filter_kind */
  uint32_t arity;
  const char* column; /* NULL: none */
  const vfdw_bytes* values;
  size_t value_count;
  bool has_null;
  int element;       /* enum vfdw_encoding of an array's elements; 0: none */
  uint32_t type_oid; /* base type of the column; 0: none */
} vfdw_filter_node;

/* Which collection: messages.h, CollectionRef. */
typedef struct vfdw_collection_ref {
  const char* database;
  const char* schema;
  const char* name;
  uint32_t table_oid; /* of the source table; 0: not known */
} vfdw_collection_ref;

typedef struct vfdw_search {
  vfdw_collection_ref collection;
  const char* vector_column; /* NULL: not checked */
  int metric;                /* enum vfdw_metric; ignored without a query vector */
  const float* query;        /* NULL: all rows, in no order */
  size_t dimensions;
  uint64_t k; /* 0: all rows */
  const char* const* columns;
  size_t column_count;
  uint32_t batch_rows;
  uint32_t ef_search;
  uint32_t nprobe;
  double target_recall;
  bool exact;
  int consistency; /* 0 default, 1 eventual, 2 session, 3 snapshot */
  uint64_t min_lsn;
  /* Resumption after a batch whose cursor was not kept: generation 0 for none. */
  uint64_t resume_generation;
  uint64_t resume_as_of;
  double resume_distance;
  bool resume_distance_is_null;
  uint64_t resume_row;
  uint64_t sample_rows;
  uint64_t sample_seed;
  bool hold; /* keep a cursor after k rows too */
  const vfdw_filter_node* filter;
  size_t filter_count; /* 0: all rows */
  int range;           /* enum vfdw_range */
  double max_distance;
  bool count_only; /* no rows, only vfdw_rows.matching_rows */
  uint32_t timeout_ms;
} vfdw_search;

uint64_t vfdw_client_send_search(vfdw_client* client, const vfdw_search* search,
                                 vfdw_error* error) VFDW_NOEXCEPT;
uint64_t vfdw_client_send_fetch(vfdw_client* client, uint64_t cursor, uint32_t batch_rows,
                                uint32_t timeout_ms, vfdw_error* error) VFDW_NOEXCEPT;
uint64_t vfdw_client_send_describe(vfdw_client* client, const vfdw_collection_ref* collection,
                                   uint32_t timeout_ms, vfdw_error* error) VFDW_NOEXCEPT;
/* schema NULL: all schemas. */
uint64_t vfdw_client_send_list(vfdw_client* client, const char* database, const char* schema,
                               uint32_t timeout_ms, vfdw_error* error) VFDW_NOEXCEPT;
/* name NULL: all collections of the database. */
uint64_t vfdw_client_send_status(vfdw_client* client, const char* database, const char* name,
                                 uint32_t timeout_ms, vfdw_error* error) VFDW_NOEXCEPT;
uint64_t vfdw_client_send_daemon_status(vfdw_client* client, uint32_t timeout_ms,
                                        vfdw_error* error) VFDW_NOEXCEPT;

/* Tells the daemon that a cursor is not needed any more. Best effort, no reply. */
void vfdw_client_close_cursor(vfdw_client* client, uint64_t cursor) VFDW_NOEXCEPT;

/*
 * Cancels the request in the daemon and drops its reply, come or to come. Best effort. Hangs up
 * when nothing else goes on here: a late reply must not lie in the daemon until somebody reads it.
 */
void vfdw_client_forget(vfdw_client* client, uint64_t request_id) VFDW_NOEXCEPT;

/* ---- replies ---- */

typedef enum vfdw_outcome {
  VFDW_PENDING = 0, /* wait on, poll, ask again */
  VFDW_ARRIVED = 1, /* *out is the reply */
  VFDW_FAILED = 2   /* *error says why: the daemon's error, or the connection was lost */
} vfdw_outcome;

/* Asks for the reply of a request. After ARRIVED or FAILED the id is no longer known. */
vfdw_outcome vfdw_client_take(vfdw_client* client, uint64_t request_id, vfdw_reply** out,
                              vfdw_error* error) VFDW_NOEXCEPT;
void vfdw_reply_free(vfdw_reply* reply) VFDW_NOEXCEPT;
/* A pointer that the caller may keep with the reply; NULL at first. */
void** vfdw_reply_owner(vfdw_reply* reply) VFDW_NOEXCEPT;

/* A column of a batch: messages.h, ColumnBlock. All bounds have been checked on arrival. */
typedef struct vfdw_column {
  int encoding; /* vfdw::ValueEncoding, enum vfdw_encoding below */
  uint32_t type_oid;
  const uint8_t* nulls; /* bitmap, or NULL without NULLs */
  const void* values;   /* 8-byte aligned */
  const uint32_t* ends; /* text and binary: rows + 1 offsets into heap */
  const char* heap;
} vfdw_column;

/* The same numbers as vfdw::ValueEncoding; client.cpp asserts it. */
enum vfdw_encoding {
  VFDW_ENCODING_BOOL = 1,
  VFDW_ENCODING_INT16 = 2,
  VFDW_ENCODING_INT32 = 3,
  VFDW_ENCODING_INT64 = 4,
  VFDW_ENCODING_FLOAT32 = 5,
  VFDW_ENCODING_FLOAT64 = 6,
  VFDW_ENCODING_UUID = 7,
  VFDW_ENCODING_TEXT = 8,
  VFDW_ENCODING_BINARY = 9,
  VFDW_ENCODING_VECTOR = 10
};

/* The same numbers as vfdw::FilterKind; search_message.cpp asserts it. */
enum vfdw_filter_kind {
  VFDW_FILTER_AND = 1,
  VFDW_FILTER_OR = 2,
  VFDW_FILTER_NOT = 3,
  VFDW_FILTER_IS_TRUE = 4,
  VFDW_FILTER_IS_FALSE = 5,
  VFDW_FILTER_IS_UNKNOWN = 6,
  VFDW_FILTER_COLUMN_TRUE = 10,
  VFDW_FILTER_EQUAL = 11,
  VFDW_FILTER_NOT_EQUAL = 12,
  VFDW_FILTER_LESS = 13,
  VFDW_FILTER_LESS_EQUAL = 14,
  VFDW_FILTER_GREATER = 15,
  VFDW_FILTER_GREATER_EQUAL = 16,
  VFDW_FILTER_IN = 17,
  VFDW_FILTER_IS_NULL = 18,
  VFDW_FILTER_NOT_DISTINCT = 19,
  VFDW_FILTER_PREFIX = 20,
  VFDW_FILTER_ARRAY_OVERLAPS = 30,
  VFDW_FILTER_ARRAY_CONTAINS = 31,
  VFDW_FILTER_ARRAY_HAS_ELEMENT = 32,
  VFDW_FILTER_JSON_CONTAINS = 40,
  VFDW_FILTER_JSON_HAS_KEY = 41,
  VFDW_FILTER_JSON_TEXT_EQUAL = 42
};

/* The same numbers as vfdw::RangeBound. */
enum vfdw_range { VFDW_RANGE_NONE = 0, VFDW_RANGE_LESS = 1, VFDW_RANGE_LESS_EQUAL = 2 };

typedef struct vfdw_rows {
  uint32_t rows;
  uint32_t ordered_rows;   /* rows from here on have a NULL distance */
  const double* distances; /* ordered_rows values; NULL for an unordered request */
  bool complete;
  uint64_t cursor;
  size_t column_count;
  const vfdw_column* columns;
  uint32_t dimensions;
  uint64_t last_row, generation, as_of;
  uint64_t engine_us, waited_us, candidates;
  const char* strategy;
  uint32_t effort;
  uint64_t collection_rows;
  int metric;
  const char* index;
  uint64_t matching_rows; /* of a search with count_only */
} vfdw_rows;

typedef struct vfdw_column_info {
  const char* name;
  uint32_t type_oid;
  const char* type_name;
  int32_t type_modifier;
  int role; /* 1 key, 2 vector, 3 included */
  int encoding;
  bool not_null;
} vfdw_column_info;

typedef struct vfdw_collection_info {
  const char* schema;
  const char* name;
  const char* source_table;
  int metric;
  const char* index;
  uint32_t dimensions;
  uint64_t rows;
  const char* state;
  size_t column_count;
  const vfdw_column_info* columns;
} vfdw_collection_info;

typedef struct vfdw_collection_status {
  const char *schema, *name, *state, *metric, *index, *phase, *last_error, *definition_id;
  uint64_t rows, deleted_rows, null_vectors, rejected_rows;
  uint32_t dimensions, segments;
  uint64_t memory_bytes, disk_bytes, applied_lsn, lag_bytes, lag_ms;
  uint64_t phase_done, phase_total, builds;
  uint32_t effort;
  double measured_recall;
  bool serving;
  const char* failure_sqlstate; /* of last_error, in the state "error" */
  const char* failure_hint;
  bool needs_user; /* it lasts until somebody changes something */
} vfdw_collection_status;

typedef struct vfdw_daemon_status {
  const char *name, *version;
  uint32_t protocol_version, pid;
  int64_t started_at_us; /* since 1970-01-01 UTC */
  uint64_t memory_bytes, memory_limit, connections, requests, errors;
  uint64_t search_p50_us, search_p99_us, resident_bytes;
} vfdw_daemon_status;

/* Each returns NULL when the reply is of another kind. */
const vfdw_rows* vfdw_reply_rows(const vfdw_reply* reply) VFDW_NOEXCEPT;
const vfdw_collection_info* vfdw_reply_collections(const vfdw_reply* reply,
                                                   size_t* count) VFDW_NOEXCEPT;
const vfdw_collection_status* vfdw_reply_statuses(const vfdw_reply* reply,
                                                  size_t* count) VFDW_NOEXCEPT;
const vfdw_daemon_status* vfdw_reply_daemon(const vfdw_reply* reply) VFDW_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
