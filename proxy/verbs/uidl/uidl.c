#include "proxy/verbs/uidl/uidl.h"

#include <string.h>

#include "proxy/verbs/verbs.h"

static const char help[] =
	"Usage: popgate uidl list    [LOGIN|--all]         what is remembered of a maildrop\n"
	"       popgate uidl export  [LOGIN|--all]         the same as TSV or JSON lines\n"
	"       popgate uidl import  FILE                  takes unique-ids from a file\n"
	"       popgate uidl harvest --server HOST ...     makes that file from an old server\n"
	"       popgate uidl verify  LOGIN                 which ids a login would keep or change\n"
	"\n"
	"Looks after the unique-ids that clients know messages by: those of the old server are\n"
	"taken over, so that nobody downloads everything again.\n"
	"\n"
	"  -h, --help              this text; popgate uidl list --help and so on say more\n"
	"\n"
	"Exit status: 0 done; 1 the answer is no; 2 wrong usage or configuration.\n";

static const struct uidl_word {
	const char *name;
	int (*run)(int argc, char **argv);
} words[] = {
	{ "list", uidl_list },
	{ "export", uidl_export },
	{ "import", uidl_import },
	{ "harvest", uidl_harvest },
	{ "verify", uidl_verify },
};

#define N_WORDS (sizeof(words) / sizeof(words[0]))

int verb_uidl(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		fputs(help, stdout);
		return VERB_DONE;
	}
	for (size_t i = 0; i < N_WORDS; i++)
		if (strcmp(words[i].name, name) == 0)
			return words[i].run(argc - 1, argv + 1);
	return verb_usage("uidl", "say what to do: list, export, import, harvest or verify");
}
