#include "proxy/verbs/json.h"

#include <inttypes.h>
#include <stdio.h>

#include "proxy/verbs/common.h"

static void next(struct verb_json *json, const char *key)
{
	if (json->comma)
		putchar(',');
	json->comma = true;
	if (key) {
		verb_print_json(stdout, key);
		putchar(':');
	}
}

void verb_json_begin(struct verb_json *json, const char *key, char bracket)
{
	next(json, key);
	putchar(bracket);
	json->comma = false;
}

void verb_json_end(struct verb_json *json, char bracket)
{
	putchar(bracket);
	json->comma = true;
}

void verb_json_text(struct verb_json *json, const char *key, const char *text)
{
	next(json, key);
	if (text)
		verb_print_json(stdout, text);
	else
		fputs("null", stdout);
}

void verb_json_uint(struct verb_json *json, const char *key, uint64_t n)
{
	next(json, key);
	printf("%" PRIu64, n);
}

void verb_json_bool(struct verb_json *json, const char *key, bool b)
{
	next(json, key);
	fputs(b ? "true" : "false", stdout);
}

void verb_json_ms(struct verb_json *json, const char *key, uint64_t nanoseconds)
{
	next(json, key);
	printf("%.3f", (double)nanoseconds / 1e6);
}

void verb_json_done(struct verb_json *json)
{
	putchar('\n');
	json->comma = false;
}
