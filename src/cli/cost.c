#include "cli/cost.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

/* us-east-1, Linux, on demand, in dollars. Prices change: the date is printed with
 * each answer, and https://aws.amazon.com/pricing/ has those of today. */
#define PRICES_OF	"early 2026"

static const struct { const char *type; double hour; } instances[] = {
	{ "c7g.large", .0725 },		/* taken where the node's own type is not here */
	{ "c7g.medium", .0363 }, { "c7g.xlarge", .145 }, { "c7g.2xlarge", .29 },
	{ "m7g.medium", .0408 }, { "m7g.large", .0816 }, { "m7g.xlarge", .1632 },
	{ "t4g.micro", .0084 }, { "t4g.small", .0168 }, { "t4g.medium", .0336 },
	{ "t4g.large", .0672 }, { "t4g.xlarge", .1344 },
};
#define EBS_GB_MONTH	.08		/* gp3; 3,000 IOPS and 125 MB/s are in it */
#define BALANCER_HOUR	.0225		/* ALB and NLB */
#define LCU		.008		/* ALB: 1 GB, where that and not connections is the most */
#define NLCU		.006		/* NLB: 1 GB */
#define ZONE_GB		.01		/* EC2 to a database in another zone */
#define RDS_VCPU_HOUR	(.168 / 2)	/* db.m7g.large, one zone */
#define RDS_GB_MONTH	.115		/* gp3 */
#define REST_REQUEST	3.50e-6		/* API Gateway, first tier */
#define HTTP_REQUEST	1.00e-6
#define LAMBDA_REQUEST	.20e-6
#define LAMBDA_GB_S	.0000133334	/* arm64 */
#define KINESIS_IN_GB	.08		/* on demand; a record counts as whole KB */
#define KINESIS_OUT_GB	.04
#define KINESIS_HOUR	.04

/* What is assumed of the rest; doc/COST.md says where from. */
#define MONTH_HOURS	730.0
#define WIRE_REQUEST	1000.0		/* bytes of headers and answer, TLS's too */
#define WIRE_ROW	150.0		/* bytes of a row beside its payload, to PostgreSQL */
#define ROW_BYTES	450.0		/* the same in its tables and indexes */
#define RDS_US		12.0		/* CPU time of an event in PostgreSQL */
#define RDS_LOAD	.5		/* no database is run at more */
#define LAMBDA_S	.02		/* of 256 MB, an invocation */
#define LAMBDA_GB	.25

/* The type of an EC2 instance (Nitro) stands where a PC has its model. */
static double
instance(char type[32])
{
	FILE *f = fopen("/sys/devices/virtual/dmi/id/product_name", "re");
	size_t i;

	if (!f || !fgets(type, 32, f))
		type[0] = '\0';
	if (f)
		fclose(f);
	type[strcspn(type, "\n")] = '\0';
	for (i = 0; i < ARRAY_SIZE(instances); i++)
		if (strcmp(type, instances[i].type) == 0)
			return instances[i].hour;
	snprintf(type, 32, "%s", instances[0].type);
	return instances[0].hour;
}

void
cost_print(const struct cost_traffic *t, bool json)
{
	char type[32];
	const double hours = t->seconds / 3600, events = (double)t->events, gb = 1e-9,
	    requests = (double)t->requests, bytes = (double)t->bytes,
	    wire = (bytes + requests * WIRE_REQUEST) * gb, hour = instance(type),
	    lambda = LAMBDA_REQUEST + LAMBDA_S * LAMBDA_GB * LAMBDA_GB_S;
	const struct { const char *name, *doc; double dollars; } parts[] = {
		{ "node", "This instance, or c7g.large where its type is not known.", hour * hours },
		{ "volume", "The journal's volume as gp3.", (double)t->volume * gb * EBS_GB_MONTH / MONTH_HOURS * hours },
		{ "alb", "Application load balancer, this node's traffic alone on it; or", BALANCER_HOUR * hours + LCU * wire },
		{ "nlb", "network load balancer, the same.", BALANCER_HOUR * hours + NLCU * wire },
		{ "cross_zone", "To a database in another zone.", (bytes + events * WIRE_ROW) * gb * ZONE_GB },
		{ "rds_cpu", "PostgreSQL's CPU time on RDS, at half load.",
		    events * RDS_US * 1e-6 / 3600 * RDS_VCPU_HOUR / RDS_LOAD },
		{ "rds_storage_month", "Each month that the rows are kept.", (bytes + events * ROW_BYTES) * gb * RDS_GB_MONTH },
		{ "api_gateway_rest", "Instead: a REST API and Lambda, without a database.", requests * (REST_REQUEST + lambda) },
		{ "api_gateway_http", "Instead: an HTTP API and Lambda, without a database.", requests * (HTTP_REQUEST + lambda) },
		{ "kinesis", "Instead: Kinesis on demand, a record an event, without who takes them in.",
		    KINESIS_HOUR * hours + events * 1024 * gb * (KINESIS_IN_GB + KINESIS_OUT_GB) },
	};
	size_t i;

	if (json)
		printf("{\"prices_of\":\"" PRICES_OF ", us-east-1\",\"instance\":\"%s\",\"seconds\":%.0f,\"requests\":%" PRIu64
		    ",\"events\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"dollars\":{", type, t->seconds, t->requests, t->events, t->bytes);
	else
		printf("# prices of " PRICES_OF ", us-east-1, on demand: check them; see doc/COST.md\n"
		    "# %s, %.1f hours, %" PRIu64 " requests, %" PRIu64 " events, %" PRIu64 " bytes\n"
		    "%-18s %14s %14s %14s\n", type, hours, t->requests, t->events, t->bytes,
		    "", "$ so far", "$ a billion", "$ a month");
	for (i = 0; i < ARRAY_SIZE(parts); i++)
		if (json)
			printf("%s\"%s\":%.6f", i ? "," : "", parts[i].name, parts[i].dollars);
		else
			printf("%-18s %14.4f %14.2f %14.2f  %s\n", parts[i].name, parts[i].dollars,
			    events > 0 ? parts[i].dollars * 1e9 / events : 0,
			    hours > 0 ? parts[i].dollars * MONTH_HOURS / hours : 0, parts[i].doc);
	if (json)
		puts("}}");
}
