#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxy/login/hash.h"
#include "proxy/login/password_input.h"
#include "proxy/login/users.h"
#include "proxy/login/users_edit.h"
#include "proxy/verbs/common.h"
#include "proxy/verbs/json.h"
#include "proxy/verbs/verbs.h"

static const char help[] =
	"Usage: popgate users set    --file FILE [--scram] LOGIN\n"
	"       popgate users remove --file FILE LOGIN\n"
	"       popgate users list   --file FILE [--json]\n"
	"\n"
	"Keeps a users file: the logins whose passwords the gateway checks itself\n"
	"(auth.users_file), one \"login:hash\" per line. A running gateway sees every change\n"
	"at the next login.\n"
	"\n"
	"  set     reads the password from standard input (one line; a terminal is asked twice,\n"
	"          without echo) and stores its yescrypt hash. Makes the file when there is none.\n"
	"          --scram: stores SCRAM-SHA-256 keys instead; the mechanism scram-sha-256 needs\n"
	"          them, and user, plain and login work with them too.\n"
	"  remove  removes one login.\n"
	"  list    prints each login and the kind of its hash.\n"
	"\n"
	"  -f, --file FILE  the users file\n"
	"  -s, --scram      for set: SCRAM-SHA-256 keys\n"
	"  -j, --json       for list: a JSON array of objects\n"
	"  -h, --help       this text\n"
	"\n"
	"LOGIN is written as it is after the login_name rules: in lower case, with its domain,\n"
	"unless the configuration says otherwise. Hashes of bcrypt, SHA-512, SHA-256, argon2id\n"
	"and argon2i are accepted too; write such lines with an editor.\n"
	"\n"
	"Exit status: 0 done; 1 the login is not in the file; 2 wrong usage, or the file is\n"
	"malformed or cannot be read or written.\n"
	"\n"
	"Example: printf '%s\\n' 'pass word' | popgate users set -f local.users "
	"ann@local.example\n";

static int complain(const char *text)
{
	fprintf(stderr, "popgate users: %s\n", text);
	return VERB_USAGE;
}

struct users_request {
	const char *file, *login;
	enum hash_form form;
	bool json;
};

static struct err make_hash(const struct users_request *request, char hash[HASH_MAX])
{
	cleanup(free_cleanup) char *prompt = mem_printf("Password for %s", request->login);
	cleanup(secret_cleanup) struct secret *password = NULL;
	struct err e;

	if (failed(e = password_input(prompt, true, &password)))
		return e;
	return hash_make(request->form, password, hash);
}

static int users_verb_set(const struct users_request *request)
{
	const char *login = request->login, *wrong = users_check_login(login);
	char hash[HASH_MAX];
	struct err e;
	bool known;

	if (wrong)
		return complain(wrong);
	if (failed(e = make_hash(request, hash)))
		return complain(e.detail);
	if (failed(e = users_set(request->file, login, hash, &known)))
		return complain(e.detail);
	printf("%s: %s\n", login, known ? "password changed" : "added");
	return VERB_DONE;
}

static int users_verb_remove(const struct users_request *request)
{
	const char *file = request->file, *login = request->login;
	struct err e;
	bool known;

	if (failed(e = users_remove(file, login, &known)))
		return complain(e.detail);
	if (!known) {
		fprintf(stderr, "popgate users: %s: no such login in %s\n", login, file);
		return VERB_NO;
	}
	printf("%s: removed\n", login);
	return VERB_DONE;
}

static void print_wrong(unsigned line, const char *wrong, void *file)
{
	fprintf(stderr, "%s:%u: %s\n", (const char *)file, line, wrong);
}

static void print_users_json(const struct users *users)
{
	struct verb_json json = { 0 };

	verb_json_begin(&json, NULL, '[');
	for (size_t i = 0; i < users->n; i++) {
		verb_json_begin(&json, NULL, '{');
		verb_json_text(&json, "login", users->entries[i].login);
		verb_json_text(&json, "kind", users->entries[i].kind);
		verb_json_end(&json, '}');
	}
	verb_json_end(&json, ']');
	verb_json_done(&json);
}

static int users_verb_list(const struct users_request *request)
{
	cleanup(users_cleanup) struct users *users = NULL;
	const char *file = request->file;
	struct stat st;
	struct err e;
	size_t n;
	char *text;
	int fd;

	if (failed(e = users_open(file, &fd, &st)))
		return complain(e.detail);
	e = users_slurp(fd, file, &text, &n);
	close(fd);
	if (failed(e))
		return complain(e.detail);
	if (failed(users_parse(file, text, n, print_wrong, (void *)(uintptr_t)file, &users)))
		return VERB_USAGE;
	if (request->json)
		print_users_json(users);
	for (size_t i = 0; i < users->n && !request->json; i++)
		printf("%s\t%s\n", users->entries[i].login, users->entries[i].kind);
	return VERB_DONE;
}

static const struct users_action {
	const char *name;
	bool login;
	int (*run)(const struct users_request *request);
} actions[] = {
	{ "set", true, users_verb_set },
	{ "remove", true, users_verb_remove },
	{ "list", false, users_verb_list },
	{ NULL, false, NULL },
};

static int run(struct users_request *request, int argc, char **argv)
{
	const struct users_action *action = actions;

	if (argc == 0)
		return verb_usage("users", "say what to do: set, remove or list");
	while (action->name && strcmp(action->name, argv[0]) != 0)
		action++;
	if (!action->name)
		return verb_usage("users", "the first argument must be set, remove or list");
	if (!request->file)
		return verb_usage("users", "name the users file: --file FILE");
	if (request->form == HASH_FORM_SCRAM && action->run != users_verb_set)
		return verb_usage("users", "--scram belongs to set");
	if (request->json && action->run != users_verb_list)
		return verb_usage("users", "--json belongs to list");
	if (argc < 1 + action->login)
		return verb_usage("users", "a LOGIN is missing");
	if (argc > 1 + action->login)
		return verb_usage("users", "too many arguments");
	request->login = argv[1];
	return action->run(request);
}

int verb_users(int argc, char **argv)
{
	static const struct option options[] = {
		{ "file", required_argument, NULL, 'f' },
		{ "scram", no_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct users_request request = { .form = HASH_FORM_YESCRYPT };
	int option;

	opterr = 0;
	optind = 0; /* the program has looked at its own arguments before */
	while ((option = getopt_long(argc, argv, "f:sjh", options, NULL)) != -1) {
		switch (option) {
		case 'f':
			request.file = optarg;
			break;
		case 'j':
			request.json = true;
			break;
		case 's':
			request.form = HASH_FORM_SCRAM;
			break;
		case 'h':
			fputs(help, stdout);
			return VERB_DONE;
		default:
			return verb_wrong_option("users", argv);
		}
	}
	return run(&request, argc - optind, argv + optind);
}
