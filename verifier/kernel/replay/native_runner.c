// SPDX-License-Identifier: GPL-2.0-or-later
// Calls helpers of a shared library by name, on words and entries that come line by line:
//
//     poke SYMBOL OFFSET BYTE        sets a byte of a global
//     call SYMBOL KIND=VALUE...      w: a word; e: a pointer to an entry of this value; f: a pointer to zeros
//
// and answers each call with `RESULT ENTRY...` in hexadecimal, or `trap`. A warning's ud2 is stepped over.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define MOST 6
static sigjmp_buf back;
static int warnings;
static uint8_t zeros[MOST][1 << 16] __attribute__((aligned(4096)));
static uint64_t entries[MOST][512] __attribute__((aligned(4096)));

static void trap(int number, siginfo_t *info, void *context)
{
	(void)info;
#if defined(__x86_64__)
	ucontext_t *u = context;
	const uint8_t *at = (const uint8_t *)u->uc_mcontext.gregs[REG_RIP];
	if (number == SIGILL && at[0] == 0x0f && at[1] == 0x0b && ++warnings < 8) {
		u->uc_mcontext.gregs[REG_RIP] += 2;
		return;
	}
#else
	(void)context;
#endif
	siglongjmp(back, number);
}

static void call(void *library, char *line)
{
	uint64_t args[MOST] = {0}, result;
	int kinds[MOST], count = 0;
	char *save = NULL, *word = strtok_r(line, " ", &save);
	uint64_t (*function)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t) = dlsym(library, word);

	while ((word = strtok_r(NULL, " ", &save)) && count < MOST) {
		uint64_t value = strtoull(word + 2, NULL, 16);

		kinds[count] = word[0];
		args[count] = value;
		if (word[0] == 'e') {
			memset(entries[count], 0, sizeof(entries[count]));
			entries[count][0] = value;
			args[count] = (uintptr_t)entries[count];
		} else if (word[0] == 'f') {
			memset(zeros[count], 0, sizeof(zeros[count]));
			args[count] = (uintptr_t)zeros[count];
		}
		count++;
	}
	warnings = 0;
	if (!function || sigsetjmp(back, 1)) {
		puts(function ? "trap" : "missing");
		return;
	}
	result = function(args[0], args[1], args[2], args[3], args[4], args[5]);
	printf("%llx", (unsigned long long)result);
	for (int i = 0; i < count; i++)
		if (kinds[i] == 'e')
			printf(" %llx", (unsigned long long)entries[i][0]);
	puts("");
}

int main(int argc, char **argv)
{
	static char line[4096];
	struct sigaction action = { .sa_sigaction = trap, .sa_flags = SA_SIGINFO | SA_NODEFER };
	void *library = argc > 1 ? dlopen(argv[1], RTLD_LAZY | RTLD_LOCAL) : NULL;

	if (!library) {
		fprintf(stderr, "%s\n", argc > 1 ? dlerror() : "no library");
		return 1;
	}
	sigaction(SIGILL, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGTRAP, &action, NULL);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "poke ", 5)) {
			char name[256];
			unsigned long offset, byte;
			uint8_t *at = sscanf(line + 5, "%255s %lx %lx", name, &offset, &byte) == 3 ? dlsym(library, name) : NULL;

			if (at)
				at[offset] = byte;
			puts(at ? "done" : "missing");
		} else if (!strncmp(line, "call ", 5)) {
			call(library, line + 5);
		}
		fflush(stdout);
	}
	return 0;
}
