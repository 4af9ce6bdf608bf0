/*
 * CHECK(): conditions that only a bug of ours can break. Never for input, disk,
 * network or memory. It is never compiled out, and it must have no side effects:
 * a worker that fails one aborts, and the master replaces it.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define MUST_CHECK	__attribute__((warn_unused_result))
#define PRINTF(f, a)	__attribute__((format(printf, f, a)))
#define NORETURN	__attribute__((noreturn))
#define UNUSED		__attribute__((unused))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define CHECK(x) \
	do { if (__builtin_expect(!(x), 0)) check_failed(#x, __FILE__, __LINE__); } while (0)

/* Prints the condition to stderr and aborts. */
void check_failed(const char *what, const char *file, int line) NORETURN;

#endif
