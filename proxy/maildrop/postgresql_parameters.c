#include "proxy/maildrop/postgresql_parameters.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

/* Types have these numbers in every database. */
enum { OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20 };

/* Ahead of an array's elements, each in the network's order of octets. An element follows its
 * length; NULL has none, and the length -1. */
struct array_head {
	uint32_t dimensions, has_null, type, n, first_index;
};

static void add(struct postgresql_parameters *parameters, const void *value, size_t length)
{
	assert(parameters->n < POSTGRESQL_PARAMETERS_MAX && length <= INT32_MAX);
	parameters->values[parameters->n] = value;
	parameters->lengths[parameters->n++] = (int)length;
}

void postgresql_add_integer(struct postgresql_parameters *parameters, int64_t value)
{
	uint64_t *place = &parameters->integers[parameters->n];

	*place = htobe64((uint64_t)value);
	add(parameters, place, sizeof(*place));
}

void postgresql_add_text(struct postgresql_parameters *parameters, const char *text)
{
	add(parameters, text, text ? strlen(text) : 0);
}

static void add_element(
	struct postgresql_array *array, uint32_t type, const void *data, size_t length)
{
	struct array_head head = { .type = htobe32(type) };
	uint32_t prefix = htobe32((uint32_t)length);

	if (array->n == 0)
		buffer_append(&array->data, &head, sizeof(head));
	array->n++;
	buffer_append(&array->data, &prefix, sizeof(prefix));
	buffer_append(&array->data, data, length);
}

void postgresql_array_add_integer(struct postgresql_array *array, int64_t value)
{
	uint64_t wire = htobe64((uint64_t)value);

	add_element(array, OID_INT8, &wire, sizeof(wire));
}

void postgresql_array_add_null(struct postgresql_array *array)
{
	const uint32_t none = UINT32_MAX;

	array->has_null = true;
	add_element(array, OID_INT8, "", 0);
	memcpy(array->data.data + array->data.end - sizeof(none), &none, sizeof(none));
}

void postgresql_array_add_bool(struct postgresql_array *array, bool value)
{
	add_element(array, OID_BOOL, value ? "\1" : "\0", 1);
}

void postgresql_array_add_text(struct postgresql_array *array, const char *text)
{
	add_element(array, OID_BYTEA, text, strlen(text));
}

void postgresql_add_array(struct postgresql_parameters *parameters, struct postgresql_array *array)
{
	struct array_head head;

	assert(array->n > 0);
	memcpy(&head, buffer_data(&array->data), sizeof(head));
	head.dimensions = htobe32(1);
	head.has_null = htobe32(array->has_null);
	head.n = htobe32(array->n);
	head.first_index = htobe32(1);
	memcpy(buffer_data(&array->data), &head, sizeof(head));
	add(parameters, buffer_data(&array->data), buffer_used(&array->data));
}

void postgresql_array_reset(struct postgresql_array *array)
{
	array->data.start = array->data.end = 0;
	array->n = 0;
	array->has_null = false;
}

void postgresql_array_done(struct postgresql_array *array)
{
	buffer_done(&array->data);
	*array = (struct postgresql_array){ 0 };
}

int64_t postgresql_integer(const char *value)
{
	uint64_t wire;

	memcpy(&wire, value, sizeof(wire));
	return (int64_t)be64toh(wire);
}
