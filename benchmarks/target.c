/* A program to be traced by benchmarks: tells when a probe is put into `work`, then calls it in bursts.

   Usage: target CALLS BURST PAUSE_US. Prints one line each, a clock being CLOCK_MONOTONIC in ns:

     ready             it watches its own code
     never             nothing of the kind for 20 s; it ends
     attached CLOCK    the first bytes of `work` have changed: a breakpoint is in
     done              CALLS calls have been made; it waits for a line, and ends

   Bursts with pauses keep a reader's ring from filling: a full one makes an event cheaper. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

__attribute__((noinline)) void work(long n, const char *text)
{
	__asm__ volatile("" ::"r"(n), "r"(text) : "memory");
}

static long long clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	long calls = atol(argv[1]), burst = atol(argv[2]);
	useconds_t pause = atol(argv[3]);
	unsigned original, seen;

	setvbuf(stdout, 0, _IOLBF, 0);
	memcpy(&original, (const void *)work, sizeof original);
	puts("ready");
	long long start = clock_ns();
	do {
		if (clock_ns() - start > 20000000000LL) {
			puts("never");
			return 1;
		}
		usleep(50);
		memcpy(&seen, (const void *)work, sizeof seen);
	} while (seen == original);
	printf("attached %lld\n", clock_ns());

	usleep(100000); /* the tool finishes attaching, and starts to read */
	for (long n = 0; n < calls; n++) {
		work(n, "a string of the target's");
		if (burst && n % burst == burst - 1)
			usleep(pause);
	}
	puts("done");
	getchar();
	return 0;
}
