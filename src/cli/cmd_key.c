/*
 * forebay key new SOURCE: makes a write key, prints it once, adds its digest.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/keyfile.h"
#include "base/sha256.h"
#include "cli/cmd.h"

#define RANDOM_BYTES	32
#define PREFIX		"fbk_"		/* so that scanners for leaked secrets know one */

/* PREFIX and base64url without padding: safe in headers, URLs and shells. */
static bool
make_key(char out[64])
{
	unsigned char raw[RANDOM_BYTES], b64[48];
	char *p;

	if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
		return false;
	EVP_EncodeBlock(b64, raw, sizeof raw);
	snprintf(out, 64, PREFIX "%s", (char *)b64);
	for (p = out; *p; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	p = strchr(out, '=');
	if (p)
		*p = '\0';
	return true;
}

static bool
digest_hex(const char *key, char out[2 * SHA256_BYTES + 1])
{
	struct sha256 *sha;
	uint8_t sum[SHA256_BYTES];
	bool good = sha256_new(&sha) == ERR_OK;
	size_t i;

	if (good) {
		sha256_begin(sha);
		sha256_put(sha, slice_str(key));
		good = sha256_end(sha, sum) == ERR_OK;
		sha256_free(&sha);
	}
	for (i = 0; good && i < SHA256_BYTES; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
	return good;
}

/* What forebayd takes (base/keyfile.h), and JSON without escapes. */
static bool
is_word(const char *s)
{
	return *s && strlen(s) <= KEY_NAME_MAX && !strpbrk(s, " \t\r\n#\"\\") && utf8_all(s);
}

static const char usage[] =
    "usage: forebay key new [--json] [--name NAME] [--origins ORIGIN,...] SOURCE\n"
    "Makes a write key for a source, prints it once, and adds its digest to the file that\n"
    "collect.keys names.\n"
    "  --name NAME          what events that come by it have as key; several keys of one source\n"
    "                       may have one, as while one is replaced; default: SOURCE and the day,\n"
    "                       and a number from the second of a day on\n"
    "  --origins ORIGIN,... the only pages from which a browser may send by it\n"
    "  --json               one JSON object: key, name, source\n"
    "exit status: 0; 64 usage, or another source has the name; 73 the file cannot be made; 77 no\n"
    "right to write it; 78 keys are off, or the file as it stands is bad\n";

struct wish { const char *source, *name, *origins; };

static bool
is_good(const struct wish *w)
{
	return is_word(w->source) && (!w->name || is_word(w->name)) &&
	    (!w->origins || (strlen(w->origins) < 1024 && !strpbrk(w->origins, " \t\r\n#")));
}

/* SOURCE and the day, with a number if that is taken; or what was asked for. */
static int
choose_name(const struct wish *w, const struct keyfile *have, char name[256])
{
	const struct key *same;
	char day[CLOCK_TEXT];
	unsigned n;

	clock_day_text(clock_day(clock_us()), day);
	snprintf(name, 256, "%s-%s", w->source, day);
	for (n = 2; !w->name && keyfile_named(have, name); n++)
		snprintf(name, 256, "%s-%s-%u", w->source, day, n);
	if (w->name)
		snprintf(name, 256, "%s", w->name);
	if (!is_word(name)) {
		fprintf(stderr, "the key's name would be %s: too long; give it another with --name\n", name);
		return EX_USAGE;
	}
	same = keyfile_named(have, name);
	if (same && strcmp(same->source, w->source) != 0) {
		fprintf(stderr, "the name %s is that of a key of %s, and a name belongs to one source;\n"
		    "give this key another with --name\n", name, same->source);
		return EX_USAGE;
	}
	return EX_OK;
}

static int
say_why(const char *path)
{
	int why = errno;

	fprintf(stderr, "%s: %s\n", path, strerror(why));
	return why == EACCES || why == EPERM ? EX_NOPERM : EX_CANTCREAT;
}

/* Under the file's lock: nobody takes the name, or the file, between our reading and writing. */
static int
add_key(const char *path, const struct wish *w, const char *digest, char name[256])
{
	struct keyfile have;
	char errmsg[256], line[2048];
	enum err e = keyfile_read(&have, path, errmsg);
	int status;

	if (e != ERR_OK && e != ERR_DOWN) {
		fprintf(stderr, "%s\n", errmsg);
		return e == ERR_IO ? EX_NOPERM : EX_CONFIG;
	}
	status = choose_name(w, &have, name);
	keyfile_free(&have);
	if (status != EX_OK)
		return status;
	snprintf(line, sizeof line, "%s %s %s%s%s", digest, name, w->source,
	    w->origins ? " " : "", w->origins ? w->origins : "");
	return keyfile_add(path, line) == ERR_OK ? EX_OK : say_why(path);
}

int
cmd_key(const struct conf_args *args, int argc, char **argv)
{
	struct wish w = { .source = NULL };
	bool json = false;
	const struct cmd_option options[] = {
		{ "json", 0, &json, NULL }, { "name", 0, NULL, &w.name }, { "origins", 0, NULL, &w.origins },
		{ NULL, 0, NULL, NULL },
	};
	int status = cmd_options(&argc, &argv, options, usage);
	const struct conf *conf;
	char key[64], digest[2 * SHA256_BYTES + 1], name[256];
	int lock;

	if (status >= 0)
		return status;
	w.source = argc == 2 ? argv[1] : "";
	if (argc != 2 || strcmp(argv[0], "new") != 0 || !is_good(&w))
		return cmd_usage(usage);
	conf = cmd_conf(args);
	if (conf->collect_keys[0] == '\0') {
		fputs("collect.keys is not set: keys are off; set it to a file, for example\n"
		    "/etc/forebay/keys, and say this again\n", stderr);
		return EX_CONFIG;
	}
	if (!make_key(key) || !digest_hex(key, digest))
		return EX_OSERR;
	if (keyfile_lock(conf->collect_keys, &lock) != ERR_OK)
		return say_why(conf->collect_keys);
	status = add_key(conf->collect_keys, &w, digest, name);
	close(lock);
	if (status != EX_OK)
		return status;
	if (json)
		printf("{\"key\":\"%s\",\"name\":\"%s\",\"source\":\"%s\"}\n", key, name, w.source);
	else
		printf("%s\n", key);
	fprintf(stderr, "the key is shown this once; %s holds its digest, and it is in force\n",
	    conf->collect_keys);
	return EX_OK;
}
