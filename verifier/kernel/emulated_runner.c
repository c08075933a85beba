// SPDX-License-Identifier: GPL-2.0-or-later
// Runs helpers by number on words that come line by line, `NUMBER WORD...` in hexadecimal, and answers each line with the
// words as they are afterwards, the result before them, or with `outside` (a premise does not hold) or `trap`.
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 8
#define SECONDS 5

extern void (*const pteproof_runs[])(unsigned long long *, unsigned long long *);
extern void pteproof_set(void);
char pteproof_room[MOST][1 << 17] __attribute__((aligned(1 << 16)));
static sigjmp_buf back;

static void trap(int number)
{
	siglongjmp(back, number);
}

void pteproof_leave(void)
{
	siglongjmp(back, -1);
}

int main(void)
{
	static char line[4096];
	const int caught[] = { SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE, SIGALRM, SIGSYS };
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = trap;
	action.sa_flags = SA_NODEFER;
	for (unsigned i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		sigaction(caught[i], &action, NULL);
	pteproof_set();
	while (fgets(line, sizeof(line), stdin)) {
		unsigned long long words[MOST] = {0}, result = 0;
		char *at = line;
		volatile int count = 0;
		unsigned long number = strtoul(at, &at, 16);

		while (count < MOST && *at == ' ')
			words[count++] = strtoull(at, &at, 16);
		memset(pteproof_room, 0, sizeof(pteproof_room));
		switch (sigsetjmp(back, 1)) {
		case 0:
			alarm(SECONDS);
			pteproof_runs[number](words, &result);
			printf("%llx", result);
			for (int i = 0; i < count; i++)
				printf(" %llx", words[i]);
			puts("");
			break;
		case -1:
			puts("outside");
			break;
		default:
			puts("trap");
		}
	}
	return 0;
}
