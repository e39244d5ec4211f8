#include <string.h>

#include "proxy/verbs/uidl/uidl.h"

static const char help[] =
	"Usage: popgate uidl export [-c FILE] [--json] LOGIN\n"
	"       popgate uidl export [-c FILE] [--json] --all\n"
	"\n"
	"Writes what is remembered to standard output, all of it: popgate uidl import brings it\n"
	"into another registry, of whatever kind. The gateway may be running; each maildrop is\n"
	"as it was at one moment.\n"
	"\n"
	"A line is TSV: the first names the columns, and in a cell \\t, \\n, \\r and \\\\ stand "
	"for\n"
	"those octets. Or, with --json, a JSON object with the same names; what is not known is\n"
	"left out. A maildrop is a line of kind maildrop, one of kind message for each message,\n"
	"and one of kind end. shown_id is what clients see.\n"
	"\n"
	"  -A, --all               every maildrop\n"
	"  -j, --json              JSON lines instead of TSV\n"
	"  -l, --listener NAME, -s, --server-name NAME, -a, --address IP\n"
	"                          how the login comes, for tenants that look at "
	"it\n" VERB_CONFIG_HELP "  -h, --help              this text\n"
	"\n"
	"Exit status: 0 done; 1 nothing is remembered, or the registry cannot be read; 2 wrong\n"
	"usage or configuration.\n"
	"\n"
	"Example: popgate uidl export --all >ids.tsv\n";

static void print_row(const struct id_row *row, void *arg)
{
	const bool *json = arg;
	struct buffer out = { 0 };

	(*json ? id_json_row : id_tsv_row)(ID_EXPORT, row, &out);
	fwrite(buffer_data(&out), 1, buffer_used(&out), stdout);
	buffer_done(&out);
}

static void export_one(const struct registry_maildrop *maildrop,
	const struct registry_record *record, const char *main_folder, void *arg)
{
	id_rows_of_record(maildrop, record, main_folder, print_row, arg);
}

fiber_fn static void run_export(void *arg)
{
	struct uidl_work *work = arg;
	struct buffer header = { 0 };
	size_t n;

	if (!work->options.json) {
		id_tsv_header(ID_EXPORT, &header);
		fwrite(buffer_data(&header), 1, buffer_used(&header), stdout);
		buffer_done(&header);
	}
	uidl_show("export", work, export_one, &work->options.json, &n);
}

int uidl_export(int argc, char **argv)
{
	struct uidl_work work = { 0 };
	enum verb_status status;

	if (!uidl_parse(argc, argv, "cAj" UIDL_ROUTE_OPTIONS, help, &work.options, &status))
		return status;
	if (work.options.all == (work.options.argument != NULL))
		return uidl_usage("export", "expected one login, or --all");
	return uidl_run("export", &work, false, run_export);
}
