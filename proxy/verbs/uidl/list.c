#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "proxy/maildrop/unique_id.h"
#include "proxy/verbs/uidl/uidl.h"

static const char help[] =
	"Usage: popgate uidl list [-c FILE] [--json] LOGIN\n"
	"       popgate uidl list [-c FILE] [--json] --all\n"
	"\n"
	"Prints what is remembered of a maildrop: each unique-id with the message's octets, when\n"
	"it arrived (UTC), where it is in the mail store, and: missing (the store lacks it of\n"
	"late), hidden (deleted for POP3), adopted (from an old server, and not met here yet).\n"
	"With --all a line for each maildrop: messages, those missing, hidden and adopted, and\n"
	"the day of the last login that was noted. The mail store is not asked.\n"
	"\n"
	"  -A, --all               every maildrop\n"
	"  -j, --json              a JSON object per line\n"
	"  -l, --listener NAME, -s, --server-name NAME, -a, --address IP\n"
	"                          how the login comes, for tenants that look at "
	"it\n" VERB_CONFIG_HELP "  -h, --help              this text\n"
	"\n"
	"Exit status: 0 done; 1 nothing is remembered, or the registry cannot be read; 2 wrong\n"
	"usage or configuration.\n";

#define TIME_OCTETS 24
#define DAY_OCTETS  10 /* of its beginning */

static const char *time_text(int64_t seconds, char text[static TIME_OCTETS])
{
	time_t when = (time_t)seconds;
	struct tm parts;

	if (!seconds || !gmtime_r(&when, &parts) ||
		!strftime(text, TIME_OCTETS, "%Y-%m-%d %H:%M:%S", &parts))
		memcpy(text, "-", 2);
	return text;
}

static const char *state_of(const struct registry_entry *entry)
{
	return entry_adopted(entry) ? "adopted"
	       : entry->missing     ? "missing"
	       : entry->hidden      ? "hidden"
				    : "-";
}

static void print_entry(const struct registry_record *record, const struct registry_entry *entry,
	const char *main_folder)
{
	uint64_t size = entry->measured != REGISTRY_NO_SIZE ? entry->measured : entry->size;
	struct unique_id shown;
	char when[TIME_OCTETS], octets[24] = "-";

	id_shown(record, entry, main_folder, &shown);
	if (size != REGISTRY_NO_SIZE)
		snprintf(octets, sizeof(octets), "%" PRIu64, size);
	printf("%-40s %12s %-19s %-7s ", shown.text, octets, time_text(entry->arrival, when),
		state_of(entry));
	verb_print_text(stdout, record->folders[entry->folder].name);
	if (entry->uid)
		printf(" %" PRIu32 ".%" PRIu32, entry->uidvalidity, entry->uid);
	if (*entry->key && !entry_adopted(entry)) {
		putchar(' ');
		verb_print_text(stdout, entry->key);
	}
	putchar('\n');
}

static void list_one(const struct registry_maildrop *maildrop, const struct registry_record *record,
	const char *main_folder, void *arg)
{
	(void)maildrop;
	(void)arg;
	printf("%-40s %12s %-19s %-7s %s\n", "unique-id", "octets", "arrived", "state", "message");
	for (size_t i = 0; i < record->n_entries; i++)
		print_entry(record, &record->entries[i], main_folder);
}

struct sums {
	size_t present, missing, hidden, adopted;
};

static struct sums sum_up(const struct registry_record *record)
{
	struct sums sums = { 0 };

	for (size_t i = 0; i < record->n_entries; i++) {
		const struct registry_entry *entry = &record->entries[i];

		if (entry_adopted(entry))
			sums.adopted++;
		else if (entry->missing)
			sums.missing++;
		else if (entry->hidden)
			sums.hidden++;
		else
			sums.present++;
	}
	return sums;
}

static void print_sums(const struct registry_maildrop *maildrop,
	const struct registry_record *record, const char *main_folder, void *arg)
{
	struct sums sums = sum_up(record);
	char when[TIME_OCTETS];

	(void)main_folder;
	(void)arg;
	printf("%9zu %8zu %8zu %8zu %-10.*s ", sums.present, sums.missing, sums.hidden,
		sums.adopted, DAY_OCTETS, time_text(record->seen, when));
	verb_print_text(stdout, maildrop->tenant);
	putchar(' ');
	verb_print_text(stdout, maildrop->login);
	putchar('\n');
}

static void print_sums_json(const struct registry_maildrop *maildrop,
	const struct registry_record *record, const char *main_folder, void *arg)
{
	struct sums sums = sum_up(record);

	(void)main_folder;
	(void)arg;
	fputs("{\"tenant\":", stdout);
	verb_print_json(stdout, maildrop->tenant);
	fputs(",\"login\":", stdout);
	verb_print_json(stdout, maildrop->login);
	printf(",\"messages\":%zu,\"missing\":%zu,\"hidden\":%zu,\"adopted\":%zu,\"seen\":%" PRId64
	       "}\n",
		sums.present, sums.missing, sums.hidden, sums.adopted, record->seen);
}

static void print_row(const struct id_row *row, void *arg)
{
	struct buffer out = { 0 };

	(void)arg;
	if (row->kind != ID_MESSAGE)
		return;
	id_json_row(ID_EXPORT, row, &out);
	fwrite(buffer_data(&out), 1, buffer_used(&out), stdout);
	buffer_done(&out);
}

static void list_one_json(const struct registry_maildrop *maildrop,
	const struct registry_record *record, const char *main_folder, void *arg)
{
	id_rows_of_record(maildrop, record, main_folder, print_row, arg);
}

fiber_fn static void run_list(void *arg)
{
	struct uidl_work *work = arg;
	bool json = work->options.json;
	size_t n;

	if (!work->options.all) {
		uidl_show("list", work, json ? list_one_json : list_one, NULL, &n);
		return;
	}
	if (!json)
		printf("%9s %8s %8s %8s %-10s %s\n", "messages", "missing", "hidden", "adopted",
			"login", "tenant, login");
	uidl_show("list", work, json ? print_sums_json : print_sums, NULL, &n);
}

int uidl_list(int argc, char **argv)
{
	struct uidl_work work = { 0 };
	enum verb_status status;

	if (!uidl_parse(argc, argv, "cAj" UIDL_ROUTE_OPTIONS, help, &work.options, &status))
		return status;
	if (work.options.all == (work.options.argument != NULL))
		return uidl_usage("list", "expected one login, or --all");
	return uidl_run("list", &work, false, run_list);
}
