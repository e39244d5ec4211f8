#include "proxy/login/users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "proxy/login/hash.h"
#include "proxy/login/scram.h"

struct err users_open(const char *path, int *ret_fd, struct stat *ret_stat)
{
	/* O_NONBLOCK: opening a FIFO must not wait for its writer */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_errno(ERR_TEMP, errno, "%s", path);
	if (fstat(fd, ret_stat) < 0) {
		int errnum = errno;

		close(fd);
		return err_errno(ERR_TEMP, errnum, "%s", path);
	}
	if (!S_ISREG(ret_stat->st_mode)) {
		close(fd);
		return err_make(ERR_TEMP, "%s: not a regular file", path);
	}
	*ret_fd = fd;
	return ok();
}

struct err users_slurp(int fd, const char *path, char **ret, size_t *ret_length)
{
	struct buffer text = { 0 };
	struct err e = ok();
	ssize_t n;

	do {
		n = read(fd, buffer_reserve(&text, 65536), 65535);
		if (n > 0)
			text.end += (size_t)n;
	} while ((n > 0 && buffer_used(&text) <= USERS_FILE_MAX) || (n < 0 && errno == EINTR));
	if (n < 0)
		e = err_errno(ERR_TEMP, errno, "%s", path);
	else if (n > 0)
		e = err_make(ERR_TEMP, "%s: larger than %u octets", path, USERS_FILE_MAX);
	if (failed(e)) {
		buffer_wipe(&text);
		return e;
	}
	text.data[text.end] = '\0';
	*ret = text.data;
	*ret_length = text.end;
	return ok();
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

const char *users_check_login(const char *login)
{
	size_t n = strlen(login);

	if (n == 0)
		return "the login is empty";
	if (login[0] == '#')
		return "a line that begins with \"#\" is a comment";
	for (const char *p = login; *p; p++)
		if (*p == ':')
			return "a login cannot hold \":\"";
		else if ((unsigned char)*p < ' ' || *p == 0x7f)
			return "the login holds a control octet";
	if (is_blank(login[0]) || is_blank(login[n - 1]))
		return "there is white space around the login";
	return NULL;
}

/* Cuts one line in place into login and hash; NULL, or what is wrong. */
static const char *parse_line(char *line, struct users_entry *entry)
{
	char *colon = strchr(line, ':');
	const char *wrong;

	if (!colon)
		return "a line is login:hash";
	*colon = '\0';
	entry->login = line;
	if ((wrong = users_check_login(line)))
		return wrong;
	if (strchr(colon + 1, ':'))
		return "more than one \":\"; a line is login:hash";
	/* Schemes come in any case; this one stays with its keys. */
	if (scram_is(colon + 1))
		memcpy(colon + 1, SCRAM_SCHEME, strlen(SCRAM_SCHEME));
	entry->hash = hash_skip_scheme(colon + 1);
	if (!entry->hash)
		return "unknown scheme before the hash";
	return hash_check(entry->hash, &entry->kind);
}

struct parser {
	struct users *users;
	users_report *report;
	void *arg;
	size_t room;
	unsigned first_wrong_line; /* 0: none */
	const char *first_wrong;
};

/* Lines and duplicates are found in two passes; the error tells the first line of the file. */
static void parser_wrong(struct parser *parser, unsigned line, const char *wrong)
{
	if (parser->report)
		parser->report(line, wrong, parser->arg);
	if (parser->first_wrong_line != 0 && parser->first_wrong_line <= line)
		return;
	parser->first_wrong_line = line;
	parser->first_wrong = wrong;
}

static void parser_line(struct parser *parser, char *text, size_t n, unsigned line)
{
	struct users *users = parser->users;
	struct users_entry entry = { .line = line };
	const char *wrong;

	if (n > 0 && text[n - 1] == '\r')
		text[--n] = '\0';
	if (text[0] == '#' || strspn(text, " \t") == n)
		return;
	wrong = strlen(text) == n ? parse_line(text, &entry) : "the line holds a NUL";
	if (wrong) {
		parser_wrong(parser, line, wrong);
		return;
	}
	if (users->n == parser->room) {
		parser->room = parser->room ? parser->room * 2 : 16;
		users->entries = mem_resize(users->entries, parser->room, sizeof(*users->entries));
	}
	users->entries[users->n++] = entry;
}

static void parser_lines(struct parser *parser)
{
	char *text = parser->users->text, *end = text + parser->users->text_length;

	for (unsigned line = 1; text < end; line++) {
		char *newline = memchr(text, '\n', (size_t)(end - text));

		if (!newline)
			newline = end;
		*newline = '\0';
		parser_line(parser, text, (size_t)(newline - text), line);
		text = newline + 1;
	}
}

static int by_login(const void *a, const void *b)
{
	const struct users_entry *x = *(const struct users_entry *const *)a;
	const struct users_entry *y = *(const struct users_entry *const *)b;
	int order = strcmp(x->login, y->login);

	return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static void parser_index(struct parser *parser)
{
	struct users *users = parser->users;

	if (users->n == 0)
		return;
	users->sorted = mem_zalloc(users->n, sizeof(struct users_entry *));
	for (size_t i = 0; i < users->n; i++)
		users->sorted[i] = &users->entries[i];
	qsort(users->sorted, users->n, sizeof(struct users_entry *), by_login);
	for (size_t i = 1; i < users->n; i++)
		if (strcmp(users->sorted[i - 1]->login, users->sorted[i]->login) == 0)
			parser_wrong(parser, users->sorted[i]->line,
				"this login stands in the file already");
}

static int by_cost(const void *a, const void *b)
{
	const struct users_entry *x = *(const struct users_entry *const *)a;
	const struct users_entry *y = *(const struct users_entry *const *)b;
	size_t n = hash_cost_length(x->hash), m = hash_cost_length(y->hash);
	int order = memcmp(x->hash, y->hash, n < m ? n : m);

	return order != 0 ? order : (n > m) - (n < m);
}

static bool any_hash(const char *hash)
{
	(void)hash;
	return true;
}

/* The entry whose cost is the commonest among those that `which` takes, or NULL. */
static const struct users_entry *find_typical(
	const struct users *users, bool (*which)(const char *hash))
{
	cleanup(free_cleanup) const struct users_entry **costs = NULL;
	const struct users_entry *best = NULL;
	size_t n = 0, best_run = 0, run = 0;

	if (users->n == 0)
		return NULL;
	costs = mem_zalloc(users->n, sizeof(struct users_entry *));
	for (size_t i = 0; i < users->n; i++)
		if (which(users->sorted[i]->hash))
			costs[n++] = users->sorted[i];
	qsort(costs, n, sizeof(struct users_entry *), by_cost);
	for (size_t i = 0; i < n; i++) {
		run = i > 0 && by_cost(&costs[i - 1], &costs[i]) == 0 ? run + 1 : 1;
		if (run > best_run) {
			best_run = run;
			best = costs[i];
		}
	}
	return best;
}

struct err users_parse(
	const char *path, char *text, size_t n, users_report *report, void *arg, struct users **ret)
{
	cleanup(users_cleanup) struct users *users = mem_zalloc(1, sizeof(*users));
	struct parser parser = { .users = users, .report = report, .arg = arg };

	users->text = text;
	users->text_length = n;
	parser_lines(&parser);
	parser_index(&parser);
	if (parser.first_wrong)
		return err_make(ERR_INVALID, "%s:%u: %s", path, parser.first_wrong_line,
			parser.first_wrong);
	users->typical = find_typical(users, any_hash);
	users->typical_scram = find_typical(users, scram_is);
	*ret = steal(users);
	return ok();
}

void users_free(struct users *users)
{
	if (!users)
		return;
	explicit_bzero(users->text, users->text_length);
	free(users->text);
	free(users->entries);
	free(users->sorted);
	free(users);
}

static int login_of(const void *key, const void *element)
{
	return strcmp(key, (*(const struct users_entry *const *)element)->login);
}

const struct users_entry *users_find(const struct users *users, const char *login)
{
	const struct users_entry **found;

	if (users->n == 0)
		return NULL;
	found = bsearch(login, users->sorted, users->n, sizeof(struct users_entry *), login_of);
	return found ? *found : NULL;
}

const char *users_typical_hash(const struct users *users)
{
	return users->typical ? users->typical->hash : NULL;
}

const char *users_typical_scram(const struct users *users)
{
	return users->typical_scram ? users->typical_scram->hash : NULL;
}
