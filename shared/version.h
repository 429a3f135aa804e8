/*
 * version.h - the product's version and the wire protocol's.
 *
 * Valid C and C++. The Makefile holds the product version; VECTOR_FDW_VERSION
 * is a copy that `make lint` compares with it.
 *
 * The protocol version rises when an old peer could misread a new message.
 * Adding a field to a message does not raise it: unknown fields are skipped
 * (PROTOCOL.md, "Versions").
 */
#ifndef VECTOR_FDW_SHARED_VERSION_H
#define VECTOR_FDW_SHARED_VERSION_H

#define VECTOR_FDW_VERSION "0.1.0"
#define VFDW_PROTOCOL_VERSION 1
#define VFDW_PROTOCOL_OLDEST 1

#endif
