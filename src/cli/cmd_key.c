/*
 * forebay key new SOURCE: makes a write key, prints it once, appends its digest.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
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

/* A new file's group is its directory's: made by root, it is still for forebayd. */
static int
create(const char *path)
{
	char dir[1024];
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);

	if (fd < 0 || geteuid() != 0)
		return fd;
	snprintf(dir, sizeof dir, "%s", path);
	if (stat(dirname(dir), &st) == 0 && fchown(fd, (uid_t)-1, st.st_gid) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Did somebody's editor leave the last line without an end? */
static bool
ends_in_line(int fd)
{
	char last = '\n';
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_size == 0 ||
	    (pread(fd, &last, 1, st.st_size - 1) == 1 && last == '\n'));
}

/* One write(2) to the end of the file: two commands at once make two whole lines.
 * line begins with a line end, for the case that the file does not end in one. */
static bool
append(const char *path, const char *line)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
	bool good;
	size_t n;

	if (fd < 0 && errno == ENOENT)
		fd = create(path);
	if (fd < 0)
		return false;
	line += ends_in_line(fd);
	n = strlen(line);
	good = write(fd, line, n) == (ssize_t)n && fsync(fd) == 0;
	return close(fd) == 0 && good;
}

/* What forebayd takes (collect/keys.h), and JSON without escapes. */
static bool
is_word(const char *s)
{
	return *s && strlen(s) <= 128 && !strpbrk(s, " \t\r\n#\"\\") && utf8_all(s);
}

static const char usage[] =
    "usage: forebay key new [--json] [--name NAME] [--origins ORIGIN,...] SOURCE\n"
    "Makes a write key for a source, prints it once, and adds its digest to the file that\n"
    "collect.keys names.\n"
    "  --name NAME          what events that come by it have as key; default: SOURCE and the day\n"
    "  --origins ORIGIN,... the only pages from which a browser may send by it\n"
    "  --json               one JSON object: key, name, source\n"
    "exit status: 0; 64 usage; 73 the file cannot be made; 77 no right to write it; 78 keys are off\n";

struct wish { const char *source, *name, *origins; };

static bool
is_good(const struct wish *w)
{
	return is_word(w->source) && (!w->name || is_word(w->name)) &&
	    (!w->origins || (strlen(w->origins) < 1024 && !strpbrk(w->origins, " \t\r\n#")));
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
	char key[64], digest[2 * SHA256_BYTES + 1], name[256], day[CLOCK_TEXT], line[2048];

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
	snprintf(name, sizeof name, "%s-%s", w.source,
	    clock_day_text(clock_day(clock_us()), day));
	if (w.name)
		snprintf(name, sizeof name, "%s", w.name);
	if (!is_word(name)) {
		fprintf(stderr, "the key's name would be %s: too long; give it another with --name\n", name);
		return EX_USAGE;
	}
	snprintf(line, sizeof line, "\n%s %s %s%s%s\n", digest, name, w.source,
	    w.origins ? " " : "", w.origins ? w.origins : "");
	if (!append(conf->collect_keys, line)) {
		fprintf(stderr, "%s: %s\n", conf->collect_keys, strerror(errno));
		return errno == EACCES ? EX_NOPERM : EX_CANTCREAT;
	}
	if (json)
		printf("{\"key\":\"%s\",\"name\":\"%s\",\"source\":\"%s\"}\n", key, name, w.source);
	else
		printf("%s\n", key);
	fprintf(stderr, "the key is shown this once; %s holds its digest, in force within a second\n",
	    conf->collect_keys);
	return EX_OK;
}
