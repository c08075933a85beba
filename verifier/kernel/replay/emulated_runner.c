// SPDX-License-Identifier: GPL-2.0-or-later
// Runs helpers by number on words that come line by line, `NUMBER WORD...` in hexadecimal, and answers each line with the
// result and the words as they are afterwards, or with `outside` (a premise does not hold) or `trap`. With SYSCALL, the
// architecture's system call in C, there is no C library: then a trap ends the program. LOW: as many bytes from address 0 on are memory.
#define MOST 8
#define LINE 256
#define CLEARED 4096
#define SECONDS 5

typedef unsigned long long word;
extern void (*const pteproof_runs[])(word *, word *);
extern void pteproof_set(void);
char pteproof_room[MOST][1 << 17] __attribute__((aligned(1 << 16)));

#ifdef SYSCALL
typedef unsigned long size_t;
static long system_call(long number, long a, long b, long c) { SYSCALL }
static void *back[5];
#define MARK __builtin_setjmp(back)
#define RETURN(value) __builtin_longjmp(back, 1)
#define OUTSIDE 1
#define WATCH

void *memset(void *to, int byte, size_t count)
{
	for (volatile char *at = to; count--; at++)
		*at = byte;
	return to;
}

void *memcpy(void *to, const void *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		((volatile char *)to)[i] = ((const char *)from)[i];
	return to;
}

static long get(char *line)
{
	static char read[CLEARED];
	static long at, count;

	if (at == count) {
		at = 0;
		count = system_call(3, 0, (long)read, sizeof(read));
	}
	if (count <= 0)
		return 0;
	*line = read[at++];
	return 1;
}

static void put(const char *text, long count)
{
	system_call(4, 1, (long)text, count);
}
#else
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static sigjmp_buf back;
#define MARK sigsetjmp(back, 1)
#define RETURN(value) siglongjmp(back, value)
#define OUTSIDE -1
#define WATCH alarm(SECONDS)

static void trap(int number)
{
	RETURN(number);
}

static long get(char *line)
{
	int c = getchar();

	*line = c;
	return c != EOF;
}

static void put(const char *text, long count)
{
	fwrite(text, 1, count, stdout);
	fflush(stdout);
}
#endif

void pteproof_leave(void)
{
	RETURN(OUTSIDE);
}

static word number(const char **at)
{
	word found = 0;

	while (**at == ' ')
		++*at;
	for (; **at > ' '; ++*at)
		found = found << 4 | (**at <= '9' ? **at - '0' : **at - 'a' + 10);
	return found;
}

static char *digits(char *to, word value)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[value >> shift & 15];
	*to++ = ' ';
	return to;
}

static void answer(const char *line)
{
	static word words[MOST], result;
	static char out[LINE];
	static int count, which;
	char *to = out;

	memset(words, 0, sizeof(words));
	for (int i = 0; i < MOST; i++) { // an entry and what is beside it, or a vma; and half way up its mm
		memset(pteproof_room[i], 0, CLEARED);
		memset(pteproof_room[i] + sizeof(pteproof_room[i]) / 2, 0, CLEARED);
	}
	result = 0;
	which = number(&line);
	for (count = 0; count < MOST && *line == ' '; count++)
		words[count] = number(&line);
	switch (MARK) {
	case 0:
		WATCH;
		pteproof_runs[which](words, &result);
		to = digits(to, result);
		for (int i = 0; i < count; i++)
			to = digits(to, words[i]);
		to[-1] = '\n';
		put(out, to - out);
		break;
	case OUTSIDE:
		put("outside\n", 8);
		break;
	default:
		put("trap\n", 5);
	}
}

#ifdef SYSCALL
void _start(void)
#else
int main(void)
#endif
{
	static char line[LINE];
	static int length;
#ifndef SYSCALL
	const int caught[] = { SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE, SIGALRM, SIGSYS };
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = trap;
	action.sa_flags = SA_NODEFER;
	for (unsigned i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		sigaction(caught[i], &action, NULL);
#endif
#ifdef LOW
	mmap((void *)0, LOW, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
#endif
	pteproof_set();
	while (length < LINE - 1 && get(line + length) > 0) {
		if (line[length++] != '\n')
			continue;
		line[length] = 0;
		answer(line);
		length = 0;
	}
#ifdef SYSCALL
	system_call(1, 0, 0, 0);
#else
	return 0;
#endif
}
