#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxy/maildrop/registry.h"
#include "proxy/runtime/fiber.h"
#include "proxy/verbs/common.h"
#include "proxy/verbs/registry_open.h"
#include "proxy/verbs/verbs.h"

#define PROGRESS_PERIOD 200 /* ms */

static const char help[] =
	"Usage: popgate state check [-c FILE] [--json]\n"
	"\n"
	"Verifies the memory of unique-ids that the key state names: the database's own check\n"
	"(SQLite), then every maildrop: that no unique-id is there twice, that each has the form\n"
	"of one, that the counter is ahead of all numbers. Prints a line for each trouble, then\n"
	"how many maildrops and troubles there are. Nothing is repaired; the gateway may be\n"
	"running. A database of an older version is brought to this one's first.\n"
	"\n" VERB_CONFIG_HELP
	"  -j, --json              a JSON object per line: {\"trouble\":…}, at last\n"
	"                          {\"maildrops\":…,\"troubles\":…}\n"
	"  -h, --help              this text\n"
	"\n"
	"Exit status: 0 all is well; 1 there is trouble, or the database cannot be read;\n"
	"2 wrong usage or configuration.\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

struct state_check {
	struct registry *registry;
	bool json, progress;
	size_t maildrops, troubles;
	struct err e;
};

static void clear_progress(const struct state_check *check)
{
	if (check->progress)
		fputs("\r\033[K", stderr);
}

static void on_progress(uv_timer_t *timer)
{
	const struct state_check *check = timer->data;

	fprintf(stderr, "\r%zu maildrops", check->maildrops);
}

static void print_trouble(const char *text, void *arg)
{
	struct state_check *check = arg;

	check->troubles++;
	clear_progress(check);
	if (check->json) {
		fputs("{\"trouble\":", stdout);
		verb_print_json(stdout, text);
		puts("}");
	} else {
		verb_print_text(stdout, text);
		putchar('\n');
	}
}

static void print_summary(const struct state_check *check)
{
	clear_progress(check);
	if (check->json)
		printf("{\"maildrops\":%zu,\"troubles\":%zu}\n", check->maildrops, check->troubles);
	else
		printf("%zu maildrops, %zu troubles\n", check->maildrops, check->troubles);
}

fiber_fn static void run_check(void *arg)
{
	struct state_check *check = arg;

	check->e = registry_check(check->registry, print_trouble, check, &check->maildrops);
}

static void check_with_progress(struct state_check *check)
{
	uv_timer_t timer;

	(void)uv_timer_init(runtime_loop(), &timer);
	timer.data = check;
	if (check->progress)
		(void)uv_timer_start(&timer, on_progress, PROGRESS_PERIOD, PROGRESS_PERIOD);
	uv_unref((uv_handle_t *)&timer);
	(void)fiber_spawn("check", run_check, check);
	runtime_run();
	uv_close((uv_handle_t *)&timer, NULL);
	runtime_run();
}

static enum verb_status check_state(const struct config *config, bool json)
{
	struct state_check check = { .json = json, .progress = isatty(STDERR_FILENO) == 1 };

	runtime_init();
	check.e = verb_open_registry(config, false, &check.registry);
	if (!failed(check.e)) {
		check_with_progress(&check);
		registry_close(check.registry);
	}
	runtime_close();
	if (failed(check.e)) {
		clear_progress(&check);
		fprintf(stderr, "popgate state: %s\n", check.e.detail);
		return VERB_NO;
	}
	print_summary(&check);
	return check.troubles ? VERB_NO : VERB_DONE;
}

static enum verb_status run(const char *file, bool json)
{
	struct config *config = verb_load(verb_config_file(file), false);
	enum verb_status status;

	if (!config)
		return VERB_USAGE;
	if (config->state_kind == STATE_NONE)
		status = verb_usage("state", "the configuration says state: none");
	else
		status = check_state(config, json);
	config_free(config);
	return status;
}

int verb_state(int argc, char **argv)
{
	const char *file = NULL;
	bool json = false;
	int option;

	opterr = 0;
	optind = 0; /* the program has looked at its own arguments before */
	while ((option = getopt_long(argc, argv, "c:jh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			file = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return VERB_DONE;
		default:
			return verb_wrong_option("state", argv);
		}
	}
	if (optind == argc || strcmp(argv[optind], "check") != 0)
		return verb_usage("state", "say what to do: check");
	if (optind + 1 < argc)
		return verb_usage("state", "unexpected argument '%s'", argv[optind + 1]);
	return run(file, json);
}
