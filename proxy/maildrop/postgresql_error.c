/* postgresql_error - what a failure means, by the code that PostgreSQL gives to it. */
#include <ctype.h>
#include <string.h>

#include "proxy/maildrop/postgresql_connection.h"
#include "proxy/runtime/mem.h"

#define CODE_LENGTH 5

/* Codes, or their classes, that somebody must do something about. All others may pass. */
static const char *const permanent[] = {
	"0A",    /* the server does not know how */
	"22",    /* a value it cannot take */
	"23",    /* a constraint that is not ours */
	"28",    /* no such role, wrong password */
	"3D",    /* no such database */
	"3F",    /* no such schema */
	"42",    /* no permission; a table is not there or not as it should be */
	"XX001", /* its data is corrupt */
	"XX002", /* its index is corrupt */
};

static const char *const conflicts[] = { "40001", "40P01" };

static const char *const ends[] = {
	"08",    /* the connection broke */
	"0A000", /* the tables are others than when a statement was prepared */
	"25006", /* a standby by now: another host can write */
	"25P03", /* too long idle in a transaction */
	"26000", /* a prepared statement is not there */
	"57P",   /* the server, or this session, is being shut down */
};

static bool is_among(const char *code, const char *const *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(code, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

#define IS_AMONG(code, prefixes)                                                                   \
	is_among((code), (prefixes), sizeof(prefixes) / sizeof((prefixes)[0]))

const char *postgresql_code(const PGresult *result)
{
	const char *code = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

	return code ? code : "";
}

bool postgresql_code_is_conflict(const char *code)
{
	return IS_AMONG(code, conflicts);
}

bool postgresql_code_is_end(const char *code)
{
	return IS_AMONG(code, ends);
}

static enum err_scope scope_of(const char *code)
{
	return IS_AMONG(code, permanent) ? ERR_PERM : ERR_TEMP;
}

/* libpq's words about a connection take several lines, which tell the server's source file too, as
 * they are asked for in full. */
static char *in_one_line(const char *words)
{
	struct buffer line = { 0 };

	for (const char *p = words; *p; p += strcspn(p, "\n") + (strchr(p, '\n') != NULL)) {
		size_t n = strcspn(p, "\n");

		while (n > 0 && isspace((unsigned char)*p)) {
			p++;
			n--;
		}
		if (n == 0 || strncmp(p, "LOCATION:", 9) == 0)
			continue;
		if (buffer_used(&line) > 0)
			buffer_append(&line, " ", 1);
		buffer_append(&line, p, n);
	}
	buffer_append(&line, "", 1);
	return buffer_data(&line);
}

/* "FATAL:  28P01: password authentication failed …": the code is there whatever the server's
 * language is. */
static const char *code_within(const char *words, char ret[CODE_LENGTH + 1])
{
	ret[0] = '\0';
	for (const char *p = strstr(words, ":  "); p; p = strstr(p + 1, ":  ")) {
		const char *code = p + 3;
		size_t n = strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");

		if (n == CODE_LENGTH && code[n] == ':') {
			memcpy(ret, code, n);
			ret[n] = '\0';
		}
	}
	return ret;
}

static struct err connection_error(const PGconn *pg)
{
	cleanup(free_cleanup) char *words = in_one_line(PQerrorMessage(pg));
	char code[CODE_LENGTH + 1];
	enum err_scope scope = scope_of(code_within(words, code));

	if (PQconnectionNeedsPassword(pg))
		scope = ERR_PERM;
	return err_make(scope, "registry postgresql: %s", *words ? words : "the connection broke");
}

struct err postgresql_error(const PGconn *pg, const PGresult *result)
{
	const char *code = postgresql_code(result), *host = PQhost(pg);
	const char *words = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

	if (!*code || !words)
		return connection_error(pg);
	return err_make(scope_of(code), "registry postgresql at %s: %s: %s", host ? host : "?",
		code, words);
}
