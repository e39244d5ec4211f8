#include "backends/maildir/uidlist.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/maildir/name.h"

/* A number of 32 bits at *at, which moves behind it; 0 is none. */
static bool take_u32(const char **at, uint32_t *ret)
{
	uint64_t value;
	size_t n = maildir_parse_digits(*at, &value);

	if (n == 0 || value == 0 || value > UINT32_MAX)
		return false;
	*at += n;
	*ret = (uint32_t)value;
	return true;
}

static bool dovecot_header(struct uidlist *list, const char *line)
{
	bool ok = false;

	if (strncmp(line, "1 ", 2) == 0) {
		list->version = 1;
		line += 2;
		return take_u32(&line, &list->uidvalidity) && *line == ' ';
	}
	if (strncmp(line, "3 ", 2) != 0)
		return false;
	list->version = 3;
	for (line++; *line == ' '; line += strcspn(line, " ")) {
		line += strspn(line, " ");
		if (*line == 'V') {
			line++;
			ok = take_u32(&line, &list->uidvalidity);
		}
	}
	return ok;
}

static void note_field(struct uidlist_entry *ret, const char *field)
{
	if (*field == 'G')
		ret->guid = field + 1;
	else if (*field == 'P')
		ret->uidl = field + 1;
}

static bool dovecot_entry(struct uidlist *list, char *line, struct uidlist_entry *ret)
{
	const char *at = line;
	char *rest;

	*ret = (struct uidlist_entry){ .uidvalidity = list->uidvalidity, .guid = "" };
	if (!take_u32(&at, &ret->uid) || *at != ' ' || ret->uid <= list->last)
		return false;
	list->last = ret->uid;
	rest = line + (at - line);
	rest += strspn(rest, " ");
	while (list->version == 3 && *rest && *rest != ':') {
		size_t n = strcspn(rest, " ");

		if (!rest[n])
			return false;
		rest[n] = '\0';
		note_field(ret, rest);
		rest += n + 1;
		rest += strspn(rest, " ");
	}
	ret->file = rest + (*rest == ':');
	return true;
}

static bool courier_header(struct uidlist *list, const char *line)
{
	if (*line != '/' || (line[1] != '2' && line[1] != '3') || line[2] != ' ')
		return false;
	list->version = (unsigned)(line[1] - '0');
	return true;
}

/* Its unique-id before it kept UIDs: the file's name. */
static const char *courier_name(const char *file, char out[static UIDLIST_UIDL_SIZE])
{
	size_t used = 0;

	for (; *file && *file != ':' && used + 4 <= UIDLIST_UIDL_SIZE; file++) {
		bool plain = *file > 0x20 && *file < 0x7f && !strchr("'\"+", *file);

		if (plain)
			out[used++] = *file;
		else
			used += (size_t)sprintf(out + used, "+%02X", (unsigned char)*file);
	}
	out[used] = '\0';
	return out;
}

static const char *courier_uidl(
	const char *file, uint64_t uid, uint64_t uidvalidity, char out[static UIDLIST_UIDL_SIZE])
{
	if (uid == 0)
		return courier_name(file, out);
	if (uidvalidity == 0)
		(void)snprintf(out, UIDLIST_UIDL_SIZE, "UID%" PRIu64, uid);
	else
		(void)snprintf(out, UIDLIST_UIDL_SIZE, "UID%" PRIu64 "-%" PRIu64, uid, uidvalidity);
	return out;
}

/* A file name may hold spaces, so a line is read from its end. */
static bool courier_entry(struct uidlist *list, char *line, struct uidlist_entry *ret)
{
	char *ids = strrchr(line, ' '), *size;
	uint64_t octets, uid, uidvalidity;
	size_t n;

	(void)list;
	if (!ids)
		return false;
	*ids++ = '\0';
	size = strrchr(line, ' ');
	if (!size)
		return false;
	*size++ = '\0';
	n = maildir_parse_digits(size, &octets);
	if (n == 0 || size[n])
		return false;
	n = maildir_parse_digits(ids, &uid);
	if (n == 0 || ids[n] != ':')
		return false;
	ids += n + 1;
	n = maildir_parse_digits(ids, &uidvalidity);
	if (n == 0 || (ids[n] && ids[n] != ':'))
		return false;
	*ret = (struct uidlist_entry){
		.uidvalidity = uidvalidity <= UINT32_MAX ? (uint32_t)uidvalidity : 0,
		.uid = uid <= UINT32_MAX ? (uint32_t)uid : 0,
		.file = line,
	};
	ret->uidl = courier_uidl(line, uid, uidvalidity, ret->buffer);
	return true;
}

const struct uidlist_format uidlist_dovecot = {
	.name = "dovecot-uidlist",
	.header = dovecot_header,
	.entry = dovecot_entry,
};

const struct uidlist_format uidlist_courier = {
	.name = "courierpop3dsizelist",
	.header = courier_header,
	.entry = courier_entry,
};
