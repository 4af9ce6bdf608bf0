/* What SQL over the journal may do, and that all else is refused: every function and module
 * of the SQLite that is linked, and every kind of statement. */
#include <ctype.h>

#include "journal/query.h"
#include "journal/query_allow.h"
#include "tools/rows.h"
#include "tools/tap.h"

static char dir[256], errmsg[256];

static bool
count(void *arg, const struct query_value *v UNUSED, size_t n UNUSED)
{
	++*(int *)arg;
	return true;
}

static enum err
try(const char *sql)
{
	int rows = 0;

	return query_run(dir, sql, NULL, 0, count, &rows, errmsg);
}

static bool
refused(void)
{
	return strstr(errmsg, "not authorized") || strstr(errmsg, "no such table: ") || strstr(errmsg, "may not be modified");
}

static bool
on_list(const char *name)
{
	size_t i;

	for (i = 0; i < n_query_functions; i++)
		if (strcmp(name, query_functions[i]) == 0)
			return true;
	return false;
}

/* Operators have no call, and LIKE and GLOB are asked for by theirs. */
static bool
has_a_name(const char *name)
{
	return isalpha((unsigned char)*name);
}

/* A call with as many arguments as it takes; a window function has its window. */
static void
call(char sql[300], const char *name, int args, bool window)
{
	int i, n = snprintf(sql, 300, "SELECT %s(", name);

	for (i = 0; i < (args < 0 ? 1 : args); i++)
		n += snprintf(sql + n, 300 - (size_t)n, "%s1", i ? "," : "");
	snprintf(sql + n, 300 - (size_t)n, ")%s", window ? " OVER ()" : "");
}

static void
test_functions(void)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	char sql[300];
	const char *name, *type;
	int right = 0, wrong = 0, allowed = 0;
	bool may;

	if (sqlite3_open(":memory:", &db) != SQLITE_OK || sqlite3_prepare_v2(db,
	    "SELECT DISTINCT name, narg, type FROM pragma_function_list WHERE narg < 20", -1, &st, NULL) != SQLITE_OK)
		exit(1);
	while (sqlite3_step(st) == SQLITE_ROW) {
		name = (const char *)sqlite3_column_text(st, 0);
		type = (const char *)sqlite3_column_text(st, 2);
		if (!has_a_name(name))
			continue;
		may = on_list(name);
		call(sql, name, sqlite3_column_int(st, 1), *type == 'w');
		(void)!try(sql);
		/* what is allowed may dislike its arguments */
		if (may == !strstr(errmsg, "not authorized to use function"))
			right++;
		else if (++wrong)
			printf("# %s: %s\n", sql, errmsg);
		allowed += may;
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	is_int(wrong, 0, "a function is refused when it is not on the list");
	ok(right > 100 && allowed > 80 && allowed < right, "%d functions, %d of them allowed", right, allowed);
}

static void
test_list(void)
{
	static const char *const never[] = { "load_extension", "fts3_tokenizer", "randomblob", "sqlite_log",
		"sqlite_compileoption_get", "readfile", "writefile", "edit", "fts5" };
	size_t i, bad = 0;

	for (i = 1; i < n_query_functions; i++)
		bad += sqlite3_stricmp(query_functions[i - 1], query_functions[i]) >= 0;
	is_int((long long)bad, 0, "the list is in order");
	for (i = 0; i < ARRAY_SIZE(never); i++)
		bad += on_list(never[i]);
	is_int((long long)bad, 0, "and has nothing that reaches beyond the statement");
}

static int
not_refused(const char *sql)
{
	if (try(sql) != ERR_OK && refused())
		return 0;
	printf("# %s: %s\n", sql, errmsg);
	return 1;
}

static void
test_modules(void)
{
	static const char *const known = " event rejection request generate_series json_each json_tree pragma_table_info"
	    " pragma_table_list pragma_table_xinfo ";
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	char sql[300], name[100];
	int wrong = 0, n = 0;

	if (sqlite3_open(":memory:", &db) != SQLITE_OK || sqlite3_prepare_v2(db,
	    "SELECT name FROM pragma_module_list UNION SELECT 'pragma_' || name FROM pragma_pragma_list", -1, &st,
	    NULL) != SQLITE_OK)
		exit(1);
	while (sqlite3_step(st) == SQLITE_ROW) {
		snprintf(name, sizeof name, " %s ", sqlite3_column_text(st, 0));
		if (strstr(known, name))
			continue;
		n++;
		snprintf(sql, sizeof sql, "SELECT * FROM %s", name);
		wrong += not_refused(sql);
		snprintf(sql, sizeof sql, "CREATE VIRTUAL TABLE temp.t USING %s(x)", name);
		wrong += not_refused(sql);
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	ok(wrong == 0 && n > 40, "%d modules, none of which can be read or made a table by", n);
}

static void
test_statements(void)
{
	static const char *const not[] = {
		"ATTACH ':memory:' AS x", "DETACH main", "VACUUM", "VACUUM INTO 'x'", "BEGIN", "COMMIT", "SAVEPOINT s",
		"PRAGMA user_version", "PRAGMA main.user_version", "PRAGMA user_version = 1", "PRAGMA journal_mode",
		"PRAGMA trusted_schema = 1", "ANALYZE",
		"CREATE TABLE t(x)", "CREATE TEMP TABLE t(x)", "CREATE VIEW v AS SELECT 1", "CREATE TEMP VIEW v AS SELECT 1",
		"CREATE TEMP TRIGGER t AFTER INSERT ON event BEGIN SELECT 1; END", "DROP TABLE event",
		"INSERT INTO event(id) VALUES('x')", "UPDATE event SET id = 'x'", "DELETE FROM rejection",
		"INSERT INTO sqlite_schema VALUES('table', 't', 't', 0, '')", "DELETE FROM sqlite_schema",
		"ALTER TABLE event RENAME TO e", "EXPLAIN ATTACH 'x' AS x",
	}, *const may[] = {
		"SELECT * FROM event, rejection, request", "PRAGMA table_info(event)", "EXPLAIN SELECT * FROM event",
		"SELECT * FROM pragma_table_xinfo('event')", "SELECT e.value FROM json_each('[1]') e, json_tree('[1]') t",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n",
		"SELECT row_number() OVER (PARTITION BY type ORDER BY id), payload ->> '$.a', id LIKE 'x%' FROM event",
		"SELECT type, count(*), json_group_array(id) FROM event GROUP BY 1 HAVING count(*) > 1 ORDER BY 2 DESC LIMIT 5",
		"SELECT id FROM event WHERE received_at > datetime('now', '-60 seconds')", "SELECT * FROM sqlite_schema", "-- nothing",
		"SELECT id FROM event WHERE id GLOB 'x*' AND type IN ('a', 'b') OR seq BETWEEN 1 AND 2",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(not); i++) {
		is_int(try(not[i]), ERR_INVALID, not[i]);
		if (!refused() && !strstr(errmsg, "table sqlite_master may not") && !strstr(errmsg, "may not be altered") &&
		    !strstr(errmsg, "may not be dropped") && !strstr(errmsg, "virtual table"))
			ok(false, "it is refused for what it is: %s", errmsg);
	}
	for (i = 0; i < ARRAY_SIZE(may); i++)
		if (!is_int(try(may[i]), ERR_OK, may[i]))
			printf("# %s\n", errmsg);
}

static bool
add(void *arg, const struct query_value *v, size_t n UNUSED)
{
	char *text = arg;

	snprintf(text + strlen(text), 100 - strlen(text), "%s ", v[0].text.p ? v[0].text.p : "NULL");
	return true;
}

static const char *
series(const char *arguments)
{
	static char text[100];
	char sql[100];

	*text = '\0';
	snprintf(sql, sizeof sql, "SELECT value FROM generate_series(%s) LIMIT 5", arguments);
	if (query_run(dir, sql, NULL, 0, add, text, errmsg) != ERR_OK)
		snprintf(text, sizeof text, "%.99s", errmsg);
	return text;
}

static void
test_series(void)
{
	is_str(series("1, 3"), "1 2 3 ", "a series");
	is_str(series("0, 10, 5"), "0 5 10 ", "with a step");
	is_str(series("3, 1, -1"), "3 2 1 ", "down");
	is_str(series("3, 1"), "", "none");
	is_str(series("7"), "7 8 9 10 11 ", "without an end");
	is_str(series("9223372036854775806, 9223372036854775807"), "9223372036854775806 9223372036854775807 ",
	    "up to the largest number");
	is_str(series("1, NULL"), "", "NULL gives none");
	is_str(series(""), "generate_series: the first argument is missing", "it has to begin somewhere");
}

static void
test_limits(void)
{
	struct query *q;
	const char *sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n; SELECT 1";
	int rows = 0;

	ok(query_open(&q, dir, 200, errmsg) == ERR_OK, "a time limit");
	ok(query_next(q, &sql, NULL, 0, count, &rows, errmsg) != ERR_OK && strstr(errmsg, "time limit"),
	    "ends a statement that touches no table (%s)", errmsg);
	ok(query_next(q, &sql, NULL, 0, count, &rows, errmsg) == ERR_OK && rows == 1 && !*sql,
	    "and the next one has its own");
	query_close(&q);
	is_int(try("SELECT length(zeroblob(300000000))"), ERR_INVALID, "a value has a limit");
	is_int(try("SELECT 'x' LIKE printf('%.2000c', '%')"), ERR_INVALID, "a pattern has one");
}

int
main(void)
{
	make_dir(dir);
	test_list();
	test_functions();
	test_modules();
	test_statements();
	test_series();
	test_limits();
	remove_dir(dir);
	return done();
}
