/*
 * Any bytes as a settings file. What is taken is in range and survives being
 * printed; what is not taken is said in one message.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_loaded(const struct conf *c)
{
	char value[4096], flag[4400], errmsg[512], *flags[1] = { flag };
	struct conf *again;
	size_t i;

	for (i = 0; i < conf_n_params; i++) {
		conf_value(c, &conf_params[i], value, sizeof value);
		if (strchr(value, '\r'))
			continue;
		snprintf(flag, sizeof flag, "%s.%s=%s", conf_params[i].section, conf_params[i].key, value);
		if (conf_load(&again, "/dev/null", flags, 1, errmsg) != ERR_OK) {
			/* alone it may contradict another setting, but it is no bad value */
			CHECK(!strstr(errmsg, "bad value"));
			continue;
		}
		conf_value(again, &conf_params[i], flag, sizeof flag);
		CHECK(strcmp(flag, value) == 0);
		conf_free(&again);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	int fd = memfd_create("forebay.conf", MFD_CLOEXEC);
	char path[64], errmsg[512];
	struct conf *c;
	enum err e;

	CHECK(fd >= 0 && write(fd, data, n) == (ssize_t)n);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	e = conf_load(&c, path, NULL, 0, errmsg);
	CHECK((e == ERR_OK) == (c != NULL));
	CHECK(memchr(errmsg, '\0', sizeof errmsg) && (e == ERR_OK) == (errmsg[0] == '\0'));
	if (e == ERR_OK)
		check_loaded(c);
	conf_free(&c);
	close(fd);
	return 0;
}
