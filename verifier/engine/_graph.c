/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The graph of verifier/engine/graph.py in C, to the letter: the same calls give the same numbers.
 * That file says what each method means; this one says only what C needs.
 *
 * No pointer into a graph is held while Python code may run: arguments are read first, then
 * everything is computed, then objects are made of it. Memory that is not there raises MemoryError,
 * and leaves a graph that is whole.
 */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef MOST_NODES
#define MOST_NODES (1 << 30) /* a literal is less than 2^31 */
#endif
#define WIDE 8   /* as in graph.py */
#define SPLITS 4 /* as in graph.py */
#define INPUT (-1)
#define FAILED (-1) /* no literal: a Python error is set */

typedef struct {
	PyObject_HEAD
	int32_t *left, *right; /* of a node; an input has INPUT and its group */
	int32_t count, room;   /* nodes that there are, and that there is memory for */
	int32_t *table;        /* conjunctions by their two literals; 0 is empty. Half of it at most is full */
	uint32_t slots, used;  /* slots is a power of two */
	int32_t groups;        /* of inputs */
	uint32_t *mark;        /* of a literal: the walk that has seen it */
	int32_t marked;        /* nodes that have marks */
	uint32_t walk;
} Graph;

/* ---- lists of numbers ---- */

typedef struct {
	int32_t *at;
	size_t count, room;
} List;

static int
push(List *list, int32_t value)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 128; /* two words */
		int32_t *at = room > PY_SSIZE_T_MAX / sizeof *at ? NULL : PyMem_Realloc(list->at, room * sizeof *at);
		if (!at) {
			PyErr_NoMemory();
			return -1;
		}
		list->at = at;
		list->room = room;
	}
	list->at[list->count++] = value;
	return 0;
}

static void
release(List *list)
{
	PyMem_Free(list->at);
}

/* ---- arguments and results ---- */

static int32_t
number(PyObject *object, int32_t end, const char *what)
{
	long value = PyLong_AsLong(object);
	if (value == -1 && PyErr_Occurred())
		return FAILED;
	if (value < 0 || value >= end) {
		PyErr_Format(PyExc_IndexError, "%ld is no %s of this graph", value, what);
		return FAILED;
	}
	return (int32_t)value;
}

static int32_t
literal_of(Graph *g, PyObject *object)
{
	long value = PyLong_AsLong(object); /* may run code that adds nodes: look at the count only after it */
	if (value == -1 && PyErr_Occurred())
		return FAILED;
	if (value < 0 || value >= 2 * (int64_t)g->count) {
		PyErr_Format(PyExc_IndexError, "%ld is no literal of this graph", value);
		return FAILED;
	}
	return (int32_t)value;
}

/* Appends the literals of an iterable. */
static int
read_literals(Graph *g, PyObject *iterable, List *list)
{
	PyObject *all = PySequence_Tuple(iterable);
	if (!all)
		return -1;
	Py_ssize_t count = PyTuple_Size(all);
	for (Py_ssize_t i = 0; i < count; i++) {
		int32_t literal = literal_of(g, PyTuple_GetItem(all, i));
		if (literal == FAILED || push(list, literal) < 0) {
			Py_DECREF(all);
			return -1;
		}
	}
	Py_DECREF(all);
	return 0;
}

/* Two words of one width, one behind the other; the width. */
static Py_ssize_t
read_words(Graph *g, PyObject *a, PyObject *b, List *list)
{
	if (read_literals(g, a, list) < 0)
		return -1;
	size_t width = list->count;
	if (read_literals(g, b, list) < 0)
		return -1;
	if (list->count != 2 * width) {
		PyErr_SetString(PyExc_ValueError, "the words differ in width");
		return -1;
	}
	return (Py_ssize_t)width;
}

static PyObject *
tuple_of(const int32_t *at, Py_ssize_t count)
{
	PyObject *tuple = PyTuple_New(count);
	for (Py_ssize_t i = 0; tuple && i < count; i++) {
		PyObject *one = PyLong_FromLong(at[i]);
		if (!one || PyTuple_SetItem(tuple, i, one) < 0)
			Py_CLEAR(tuple);
	}
	return tuple;
}

static PyObject *
list_of(const int32_t *at, Py_ssize_t count)
{
	PyObject *list = PyList_New(count);
	for (Py_ssize_t i = 0; list && i < count; i++) {
		PyObject *one = PyLong_FromLong(at[i]);
		if (!one || PyList_SetItem(list, i, one) < 0)
			Py_CLEAR(list);
	}
	return list;
}

static PyObject *
literal_result(int32_t literal)
{
	return literal == FAILED ? NULL : PyLong_FromLong(literal);
}

static int
arguments(Py_ssize_t have, Py_ssize_t want)
{
	if (have == want)
		return 0;
	PyErr_Format(PyExc_TypeError, "%zd arguments where there are %zd to give", have, want);
	return -1;
}

/* ---- nodes ---- */

static int
grow(int32_t **array, size_t room)
{
	int32_t *at = PyMem_Realloc(*array, room * sizeof *at);
	if (!at) {
		PyErr_NoMemory();
		return -1;
	}
	*array = at;
	return 0;
}

/* Memory for more nodes. */
static int
make_room(Graph *g, int32_t more)
{
	if (more > MOST_NODES - g->count) {
		PyErr_Format(PyExc_OverflowError, "a graph has at most %d nodes", MOST_NODES);
		return -1;
	}
	if (g->count + more <= g->room)
		return 0;
	int64_t room = g->room + (int64_t)g->room / 2 + 1024;
	if (room < g->count + more)
		room = g->count + more;
	if (room > MOST_NODES)
		room = MOST_NODES;
	if (grow(&g->left, (size_t)room) < 0 || grow(&g->right, (size_t)room) < 0)
		return -1;
	g->room = (int32_t)room;
	return 0;
}

/* Where two literals stand in the table, or the empty slot where they would. */
static uint32_t
slot_of(const Graph *g, int32_t a, int32_t b)
{
	uint64_t hash = ((uint64_t)(uint32_t)a << 32 | (uint32_t)b) * UINT64_C(0x9E3779B97F4A7C15);
	uint32_t slot = (uint32_t)(hash >> 32) & (g->slots - 1);
	for (;;) {
		int32_t node = g->table[slot];
		if (!node || (g->left[node] == a && g->right[node] == b))
			return slot;
		slot = (slot + 1) & (g->slots - 1);
	}
}

static int
double_table(Graph *g)
{
	uint32_t slots = 2 * g->slots;
	int32_t *old = g->table, *table = slots ? PyMem_Calloc(slots, sizeof *table) : NULL;
	if (!table) {
		PyErr_NoMemory();
		return -1;
	}
	g->table = table;
	g->slots = slots;
	for (uint32_t i = 0; i < slots / 2; i++)
		if (old[i])
			table[slot_of(g, g->left[old[i]], g->right[old[i]])] = old[i];
	PyMem_Free(old);
	return 0;
}

static int32_t
gate_conj(Graph *g, int32_t a, int32_t b)
{
	for (;;) {
		if (a > b) {
			int32_t swap = a;
			a = b;
			b = swap;
		}
		if (a < 2)
			return a ? b : 0;
		if (a >> 1 == b >> 1)
			return a == b ? a : 0;
		uint32_t slot = slot_of(g, a, b);
		if (g->table[slot])
			return g->table[slot] << 1;
		int32_t left = g->left[b >> 1], right = g->right[b >> 1];
		if (left > 0) {
			if (left == a || right == a) {
				if (!(b & 1))
					return b;
				b = (left == a ? right : left) ^ 1;
				continue;
			}
			if (left == (a ^ 1) || right == (a ^ 1))
				return b & 1 ? a : 0;
		}
		if (2 * (uint64_t)g->used >= g->slots) {
			if (double_table(g) < 0)
				return FAILED;
			slot = slot_of(g, a, b);
		}
		if (make_room(g, 1) < 0)
			return FAILED;
		g->left[g->count] = a;
		g->right[g->count] = b;
		g->table[slot] = g->count;
		g->used++;
		return g->count++ << 1;
	}
}

/* The complement of what may have failed. */
static int32_t
complement(int32_t literal)
{
	return literal == FAILED ? FAILED : literal ^ 1;
}

static int32_t
gate_disj(Graph *g, int32_t a, int32_t b)
{
	return complement(gate_conj(g, a ^ 1, b ^ 1));
}

static int32_t
gate_xor(Graph *g, int32_t a, int32_t b)
{
	if (a < 2 || b < 2)
		return a ^ b;
	if (a >> 1 == b >> 1)
		return (a ^ b) & 1;
	int32_t flip = (a ^ b) & 1;
	a &= ~1;
	b &= ~1;
	int32_t both = gate_conj(g, a, b);
	int32_t none = both == FAILED ? FAILED : gate_conj(g, a ^ 1, b ^ 1);
	int32_t found = none == FAILED ? FAILED : gate_conj(g, both ^ 1, none ^ 1);
	return found == FAILED ? FAILED : found ^ flip;
}

static int32_t
gate_mux(Graph *g, int32_t c, int32_t a, int32_t b)
{
	if (a == b || c == 1)
		return a;
	if (c == 0)
		return b;
	if (a < 2)
		return a ? gate_disj(g, c, b) : gate_conj(g, c ^ 1, b);
	if (b < 2)
		return b ? gate_disj(g, c ^ 1, a) : gate_conj(g, c, a);
	if ((a ^ 1) == b)
		return gate_xor(g, c, b);
	int32_t yes = gate_conj(g, c, a);
	int32_t no = yes == FAILED ? FAILED : gate_conj(g, c ^ 1, b);
	return no == FAILED ? FAILED : complement(gate_conj(g, yes ^ 1, no ^ 1));
}

typedef struct {
	int32_t c, a, b;
} Choice;

static int
mux_of(const Graph *g, int32_t node, Choice *choice)
{
	int32_t a = g->left[node], b = g->right[node];
	if (a < 0 || !(a & b & 1))
		return 0;
	int32_t p = g->left[a >> 1], q = g->right[a >> 1], r = g->left[b >> 1], s = g->right[b >> 1];
	if (p < 2 || r < 2)
		return 0;
	if ((p ^ 1) == r)
		*choice = (Choice){p, q ^ 1, s ^ 1};
	else if ((p ^ 1) == s)
		*choice = (Choice){p, q ^ 1, r ^ 1};
	else if ((q ^ 1) == r)
		*choice = (Choice){q, p ^ 1, s ^ 1};
	else if ((q ^ 1) == s)
		*choice = (Choice){q, p ^ 1, r ^ 1};
	else
		return 0;
	return 1;
}

/* ---- equality of words ---- */

typedef struct {
	int32_t x, y;
} Pair;

static int32_t
atom(Graph *g, const Pair *pairs, size_t count)
{
	int32_t found = 1;
	for (int constants = 1; constants >= 0; constants--)
		for (size_t i = 0; i < count && found != FAILED; i++) {
			int32_t x = pairs[i].x, y = pairs[i].y;
			if ((x < 2 || y < 2) != constants)
				continue;
			int32_t same = complement(gate_xor(g, x, y));
			found = same == FAILED ? FAILED : gate_conj(g, found, same);
		}
	return found;
}

static int
selectors(const Graph *g, int32_t literal, int32_t *found)
{
	int32_t node = literal >> 1;
	Choice choice;
	if (g->left[node] <= 0)
		return 0;
	if (!mux_of(g, node, &choice)) {
		found[0] = g->left[node] & ~1;
		found[1] = g->right[node] & ~1;
		return 2;
	}
	found[0] = choice.c & ~1;
	found[1] = choice.a & ~1;
	return (choice.a ^ 1) == choice.b ? 2 : 1;
}

static int32_t
where(const Graph *g, int32_t literal, int32_t selector, int32_t value)
{
	int32_t node = literal >> 1, flip = literal & 1;
	Choice choice;
	if (node == selector >> 1)
		return value ^ flip;
	int32_t a = g->left[node], b = g->right[node];
	if (a <= 0)
		return literal;
	if (mux_of(g, node, &choice)) {
		int32_t c = choice.c, yes = choice.a, no = choice.b;
		if (c >> 1 == selector >> 1)
			return (value ^ (c & 1) ? yes : no) ^ flip;
		if ((yes ^ 1) == no && yes >> 1 == selector >> 1)
			return c ^ (value ^ (yes & 1) ^ 1) ^ flip;
		return literal;
	}
	if (a >> 1 == selector >> 1)
		return (value ^ (a & 1) ? b : 0) ^ flip;
	if (b >> 1 == selector >> 1)
		return (value ^ (b & 1) ? a : 0) ^ flip;
	return literal;
}

static int
ascending(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
	return (x > y) - (x < y);
}

/* What most of the pairs choose by, the least of these; how many do. `all` has room for four a pair. */
static size_t
best_selector(const Graph *g, const Pair *pairs, size_t count, int32_t *all, int32_t *best)
{
	size_t total = 0, most = 0;
	for (size_t i = 0; i < count; i++) {
		size_t first = total;
		int32_t found[4];
		int many = selectors(g, pairs[i].x, found);
		many += selectors(g, pairs[i].y, found + many);
		for (int k = 0; k < many; k++) {
			size_t known = first;
			while (known < total && all[known] != found[k])
				known++;
			if (known == total)
				all[total++] = found[k];
		}
	}
	qsort(all, total, sizeof *all, ascending);
	*best = 0;
	for (size_t i = 0, next; i < total; i = next) {
		for (next = i; next < total && all[next] == all[i]; next++)
			;
		if (next - i > most) {
			most = next - i;
			*best = all[i];
		}
	}
	return most;
}

#define DEEP (-2) /* the choices stand too deep in one another */

static int32_t
split(Graph *g, const Pair *pairs, size_t count, int depth)
{
	int32_t best, ways[2] = {0, 0};
	int32_t *all = PyMem_Malloc((count + 1) * (4 * sizeof *all + sizeof(Pair)));
	if (!all) {
		PyErr_NoMemory();
		return FAILED;
	}
	size_t most = best_selector(g, pairs, count, all, &best);
	if (!best || 2 * most < count || !depth) {
		PyMem_Free(all);
		return best && 2 * most >= count ? DEEP : atom(g, pairs, count);
	}
	Pair *way = (Pair *)all; /* the selectors are done with */
	for (int value = 1; value >= 0; value--) {
		size_t left = 0;
		int differs = 0;
		for (size_t i = 0; i < count; i++) {
			int32_t x = where(g, pairs[i].x, best, value), y = where(g, pairs[i].y, best, value);
			if (x != y)
				way[left++] = (Pair){x, y};
			differs |= (x ^ 1) == y;
		}
		ways[value] = differs ? 0 : split(g, way, left, depth - 1);
		if (ways[value] < 0) {
			PyMem_Free(all);
			return ways[value];
		}
	}
	PyMem_Free(all);
	return gate_mux(g, best, ways[1], ways[0]);
}

static int32_t
equal(Graph *g, Pair *pairs, size_t width)
{
	size_t count = 0;
	for (size_t i = 0; i < width; i++)
		if (pairs[i].x != pairs[i].y)
			pairs[count++] = pairs[i];
	for (size_t i = 0; i < count; i++)
		if ((pairs[i].x ^ 1) == pairs[i].y)
			return 0;
	int32_t found = count >= WIDE ? split(g, pairs, count, SPLITS) : DEEP;
	return found == DEEP ? atom(g, pairs, count) : found;
}

/* ---- walks ---- */

/* A new walk: nothing is seen. */
static int
begin(Graph *g)
{
	if (g->marked < g->count || g->walk == UINT32_MAX) {
		uint32_t *mark = PyMem_Calloc((size_t)g->room, 2 * sizeof *mark);
		if (!mark) {
			PyErr_NoMemory();
			return -1;
		}
		PyMem_Free(g->mark);
		g->mark = mark;
		g->marked = g->room;
		g->walk = 1; /* the first one is 2: a mark of 0 or 1 is none, for compute() keeps values there */
	}
	g->walk++;
	return 0;
}

/* Has the walk not been at a literal yet? It has now. */
static int
fresh(Graph *g, int32_t literal)
{
	if (g->mark[literal] == g->walk)
		return 0;
	g->mark[literal] = g->walk;
	return 1;
}

static int
seen(const Graph *g, int32_t literal)
{
	return literal >= 0 && g->mark[literal] == g->walk;
}

/* ---- methods ---- */

static PyObject *
graph_conj(Graph *g, PyObject *const *args, Py_ssize_t count)
{
	int32_t a, b;
	if (arguments(count, 2) < 0 || (a = literal_of(g, args[0])) < 0 || (b = literal_of(g, args[1])) < 0)
		return NULL;
	return literal_result(gate_conj(g, a, b));
}

static PyObject *
graph_disj(Graph *g, PyObject *const *args, Py_ssize_t count)
{
	int32_t a, b;
	if (arguments(count, 2) < 0 || (a = literal_of(g, args[0])) < 0 || (b = literal_of(g, args[1])) < 0)
		return NULL;
	return literal_result(gate_disj(g, a, b));
}

static PyObject *
graph_xor(Graph *g, PyObject *const *args, Py_ssize_t count)
{
	int32_t a, b;
	if (arguments(count, 2) < 0 || (a = literal_of(g, args[0])) < 0 || (b = literal_of(g, args[1])) < 0)
		return NULL;
	return literal_result(gate_xor(g, a, b));
}

static PyObject *
graph_mux(Graph *g, PyObject *const *args, Py_ssize_t count)
{
	int32_t c, a, b;
	if (arguments(count, 3) < 0 || (c = literal_of(g, args[0])) < 0 || (a = literal_of(g, args[1])) < 0 ||
	    (b = literal_of(g, args[2])) < 0)
		return NULL;
	return literal_result(gate_mux(g, c, a, b));
}

static PyObject *
graph_all(Graph *g, PyObject *const *args, Py_ssize_t count)
{
	int32_t found = 1;
	for (Py_ssize_t i = 0; i < count && found != FAILED; i++) {
		int32_t literal = literal_of(g, args[i]);
		found = literal == FAILED ? FAILED : gate_conj(g, found, literal);
	}
	return literal_result(found);
}

static PyObject *
graph_any(Graph *g, PyObject *const *args, Py_ssize_t count)
{
	int32_t found = 1;
	for (Py_ssize_t i = 0; i < count && found != FAILED; i++) {
		int32_t literal = literal_of(g, args[i]);
		found = literal == FAILED ? FAILED : gate_conj(g, found, literal ^ 1);
	}
	return literal_result(complement(found));
}

typedef int32_t (*Gate)(Graph *, int32_t, int32_t);

/* A gate on each pair of bits of two words. */
static PyObject *
each(Graph *g, Gate gate, PyObject *const *args, Py_ssize_t count)
{
	List list = {0};
	PyObject *result = NULL;
	Py_ssize_t width, i = 0;
	if (arguments(count, 2) == 0 && (width = read_words(g, args[0], args[1], &list)) >= 0) {
		for (; i < width; i++)
			if ((list.at[i] = gate(g, list.at[i], list.at[width + i])) == FAILED)
				break;
		if (i == width)
			result = tuple_of(list.at, width);
	}
	release(&list);
	return result;
}

static PyObject *
graph_conj_each(Graph *g, PyObject *const *args, Py_ssize_t count)
{
	return each(g, gate_conj, args, count);
}

static PyObject *
graph_disj_each(Graph *g, PyObject *const *args, Py_ssize_t count)
{
	return each(g, gate_disj, args, count);
}

static PyObject *
graph_xor_each(Graph *g, PyObject *const *args, Py_ssize_t count)
{
	return each(g, gate_xor, args, count);
}

static PyObject *
graph_mux_each(Graph *g, PyObject *const *args, Py_ssize_t count)
{
	List list = {0};
	PyObject *result = NULL;
	Py_ssize_t width, i = 0;
	int32_t c;
	if (arguments(count, 3) == 0 && (c = literal_of(g, args[0])) >= 0 &&
	    (width = read_words(g, args[1], args[2], &list)) >= 0) {
		for (; i < width; i++)
			if ((list.at[i] = gate_mux(g, c, list.at[i], list.at[width + i])) == FAILED)
				break;
		if (i == width)
			result = tuple_of(list.at, width);
	}
	release(&list);
	return result;
}

static PyObject *
graph_equal(Graph *g, PyObject *const *args, Py_ssize_t count)
{
	List list = {0};
	int32_t found = FAILED;
	Py_ssize_t width;
	if (arguments(count, 2) == 0 && (width = read_words(g, args[0], args[1], &list)) >= 0) {
		Pair *pairs = PyMem_Malloc(((size_t)width + 1) * sizeof *pairs);
		if (pairs) {
			for (Py_ssize_t i = 0; i < width; i++)
				pairs[i] = (Pair){list.at[i], list.at[width + i]};
			found = equal(g, pairs, (size_t)width);
			PyMem_Free(pairs);
		} else
			PyErr_NoMemory();
	}
	release(&list);
	return literal_result(found);
}

static PyObject *
graph_mux_of(Graph *g, PyObject *arg)
{
	Choice choice;
	int32_t node = number(arg, g->count, "node");
	if (node == FAILED)
		return NULL;
	if (!mux_of(g, node, &choice))
		Py_RETURN_NONE;
	return tuple_of((int32_t[]){choice.c, choice.a, choice.b}, 3);
}

static PyObject *
graph_sides(Graph *g, PyObject *arg)
{
	int32_t node = number(arg, g->count, "node");
	return node == FAILED ? NULL : tuple_of((int32_t[]){g->left[node], g->right[node]}, 2);
}

static PyObject *
graph_new_inputs(Graph *g, PyObject *arg)
{
	long width = PyLong_AsLong(arg);
	if (width == -1 && PyErr_Occurred())
		return NULL;
	if (width < 0) {
		PyErr_SetString(PyExc_ValueError, "a word has no less than no bits");
		return NULL;
	}
	if (make_room(g, width > INT32_MAX ? INT32_MAX : (int32_t)width) < 0)
		return NULL;
	int32_t first = g->count;
	for (long i = 0; i < width; i++) {
		g->left[g->count] = INPUT;
		g->right[g->count++] = g->groups;
	}
	g->groups++;
	return PyLong_FromLong((long)first << 1);
}

/* Marks what has to hold where the literals do, and lists it; 1 where something of it contradicts. */
static int
take_apart(Graph *g, List *todo, List *found)
{
	while (todo->count) {
		int32_t literal = todo->at[--todo->count];
		if (!fresh(g, literal))
			continue;
		if (push(found, literal) < 0)
			return -1;
		int32_t left = g->left[literal >> 1];
		if (!(literal & 1) && left > 0 && (push(todo, left) < 0 || push(todo, g->right[literal >> 1]) < 0))
			return -1;
	}
	if (g->mark[0] == g->walk)
		return 1;
	for (size_t i = 0; i < found->count; i++) {
		int32_t literal = found->at[i], node = literal >> 1;
		if (literal > 1 && literal & 1 &&
		    (seen(g, literal ^ 1) || (g->left[node] > 0 && seen(g, g->left[node]) && seen(g, g->right[node]))))
			return 1;
	}
	return 0;
}

static PyObject *
graph_contradict(Graph *g, PyObject *literals)
{
	List todo = {0}, found = {0};
	int result = read_literals(g, literals, &todo) < 0 || begin(g) < 0 ? -1 : take_apart(g, &todo, &found);
	release(&todo);
	release(&found);
	return result < 0 ? NULL : PyBool_FromLong(result);
}

/* Lists the groups of inputs below, each once; `known` has a byte for each group. */
static int
groups_below(Graph *g, List *todo, char *known)
{
	while (todo->count) {
		int32_t node = todo->at[--todo->count] >> 1;
		if (!fresh(g, 2 * node))
			continue;
		if (g->left[node] == INPUT)
			known[g->right[node]] = 1;
		else if (node && (push(todo, g->left[node]) < 0 || push(todo, g->right[node]) < 0))
			return -1;
	}
	return 0;
}

static PyObject *
graph_support(Graph *g, PyObject *literals)
{
	List todo = {0}, found = {0};
	PyObject *result = NULL;
	if (read_literals(g, literals, &todo) == 0 && begin(g) == 0) {
		char *known = PyMem_Calloc((size_t)g->groups + 1, 1);
		int failed = known ? groups_below(g, &todo, known) : (PyErr_NoMemory(), -1);
		for (int32_t i = 0; !failed && i < g->groups; i++)
			if (known[i])
				failed = push(&found, i);
		PyMem_Free(known);
		if (!failed)
			result = list_of(found.at, (Py_ssize_t)found.count);
	}
	release(&todo);
	release(&found);
	return result;
}

/* The value of a literal; of a node that the walk has done, the mark of its complement has it. */
static uint32_t
value_of(const Graph *g, int32_t literal)
{
	return g->mark[literal | 1] ^ (literal & 1);
}

static int
compute(Graph *g, List *todo)
{
	while (todo->count) {
		int32_t node = todo->at[todo->count - 1] >> 1, left = g->left[node], right = g->right[node];
		if (seen(g, 2 * node)) {
			todo->count--;
			continue;
		}
		int ready = 1;
		if (left > 0 && !seen(g, left & ~1)) {
			ready = 0;
			if (push(todo, left) < 0)
				return -1;
		}
		if (left > 0 && !seen(g, right & ~1)) {
			ready = 0;
			if (push(todo, right) < 0)
				return -1;
		}
		if (ready) {
			g->mark[2 * node] = g->walk;
			g->mark[2 * node + 1] = left > 0 ? value_of(g, left) & value_of(g, right) : 0;
			todo->count--;
		}
	}
	return 0;
}

static PyObject *
graph_evaluate(Graph *g, PyObject *const *args, Py_ssize_t count)
{
	List wanted = {0}, held = {0}, todo = {0};
	PyObject *result = NULL;
	int failed = arguments(count, 2) < 0 || read_literals(g, args[0], &wanted) < 0 ||
		read_literals(g, args[1], &held) < 0 || begin(g) < 0;
	for (size_t i = 0; !failed && i < held.count; i++) {
		int32_t literal = held.at[i];
		if (literal & 1 || g->left[literal >> 1] != INPUT) {
			PyErr_Format(PyExc_ValueError, "%d is no input", literal);
			failed = 1;
		} else {
			g->mark[literal] = g->walk;
			g->mark[literal + 1] = 1;
		}
	}
	for (size_t i = 0; !failed && i < wanted.count; i++)
		failed = push(&todo, wanted.at[i]) < 0;
	if (!failed && compute(g, &todo) == 0) {
		for (size_t i = 0; i < wanted.count; i++)
			wanted.at[i] = (int32_t)value_of(g, wanted.at[i]);
		result = PyList_New((Py_ssize_t)wanted.count);
		for (size_t i = 0; result && i < wanted.count; i++)
			if (PyList_SetItem(result, (Py_ssize_t)i, PyBool_FromLong(wanted.at[i])) < 0)
				Py_CLEAR(result);
	}
	release(&wanted);
	release(&held);
	release(&todo);
	return result;
}

/* ---- clauses ---- */

/* The variable of a literal's node as the literal has it; a node that has none gets the next, and is to do. 0: failed. */
static int32_t
variable_of(int32_t literal, int32_t *variables, int32_t *last, List *todo)
{
	int32_t *own = &variables[literal >> 1];
	if (*own < 0) {
		PyErr_SetString(PyExc_ValueError, "a variable is not negative");
		return 0;
	}
	if (!*own) {
		if (*last >= MOST_NODES || push(todo, literal >> 1) < 0) {
			if (!PyErr_Occurred())
				PyErr_SetString(PyExc_OverflowError, "there are too many variables");
			return 0;
		}
		*own = ++*last;
	}
	return literal & 1 ? -*own : *own;
}

/* Appends a clause: its length, then its literals. */
static int
add(List *clauses, int length, int32_t a, int32_t b, int32_t c)
{
	if (push(clauses, length) < 0 || push(clauses, a) < 0 || push(clauses, b) < 0)
		return -1;
	return length == 3 ? push(clauses, c) : 0;
}

/* The clauses of the nodes to do and of all below them, one behind the other; how many. */
static Py_ssize_t
clauses_of(const Graph *g, List *todo, int32_t *variables, int32_t *last, List *clauses)
{
	Py_ssize_t many = 0;
	while (todo->count) {
		int32_t node = todo->at[--todo->count], own = variables[node], c, x, y;
		Choice choice;
		if (g->left[node] <= 0)
			continue;
		if (own <= 0) {
			PyErr_SetString(PyExc_ValueError, "a node to do has a variable");
			return -1;
		}
		if (mux_of(g, node, &choice)) {
			if (!(c = variable_of(choice.c, variables, last, todo)) || !(x = variable_of(choice.a, variables, last, todo)) ||
			    !(y = variable_of(choice.b, variables, last, todo)) || add(clauses, 3, -c, -own, x) < 0 ||
			    add(clauses, 3, -c, own, -x) < 0 || add(clauses, 3, c, -own, y) < 0 || add(clauses, 3, c, own, -y) < 0)
				return -1;
			many += 4;
		} else {
			if (!(x = variable_of(g->left[node], variables, last, todo)) ||
			    !(y = variable_of(g->right[node], variables, last, todo)) || add(clauses, 2, -own, x, 0) < 0 ||
			    add(clauses, 2, -own, y, 0) < 0 || add(clauses, 3, own, -x, -y) < 0)
				return -1;
			many += 3;
		}
	}
	return many;
}

static PyObject *
lists_of(const List *clauses, Py_ssize_t many)
{
	PyObject *result = PyList_New(many);
	for (Py_ssize_t i = 0, at = 0; result && i < many; at += 1 + clauses->at[at], i++) {
		PyObject *clause = list_of(clauses->at + at + 1, clauses->at[at]);
		if (!clause || PyList_SetItem(result, i, clause) < 0)
			Py_CLEAR(result);
	}
	return result;
}

/* Is this an array of a number for each node? */
static int
usable(const Graph *g, const Py_buffer *view, const char *what)
{
	if (view->itemsize != sizeof(int32_t) || !view->format || strcmp(view->format, "i") ||
	    view->len / view->itemsize < g->count) {
		PyErr_Format(PyExc_ValueError, "%s are an array of 32-bit numbers, one for each node", what);
		return 0;
	}
	return 1;
}

static PyObject *
graph_clauses(Graph *g, PyObject *const *args, Py_ssize_t count)
{
	List todo = {0}, clauses = {0};
	Py_buffer view = {0};
	PyObject *result = NULL;
	Py_ssize_t many = -1;
	int32_t last = FAILED;
	int failed = arguments(count, 3) < 0 || read_literals(g, args[0], &todo) < 0 ||
		(last = number(args[2], MOST_NODES, "variable")) < 0 ||
		PyObject_GetBuffer(args[1], &view, PyBUF_ND | PyBUF_FORMAT | PyBUF_WRITABLE) < 0;
	if (!failed && usable(g, &view, "variables")) {
		for (size_t i = 0; i < todo.count; i++)
			todo.at[i] >>= 1;
		many = clauses_of(g, &todo, view.buf, &last, &clauses);
	}
	if (view.obj)
		PyBuffer_Release(&view);
	if (many >= 0) {
		PyObject *lists = lists_of(&clauses, many);
		result = lists ? Py_BuildValue("(Ni)", lists, (int)last) : NULL;
	}
	release(&todo);
	release(&clauses);
	return result;
}

/* ---- the literals of another graph ---- */

#define UNSEEN (-1)
#define SEEN (-2)

/* Marks the nodes to do and all below them. Of a choice, its two halves are left out. */
static int
see(const Graph *from, List *todo, int32_t *known)
{
	while (todo->count) {
		int32_t node = todo->at[--todo->count] >> 1;
		Choice choice;
		if (known[node] != UNSEEN)
			continue;
		known[node] = SEEN;
		if (from->left[node] == INPUT)
			continue;
		if (mux_of(from, node, &choice)) {
			if (push(todo, choice.c) < 0 || push(todo, choice.a) < 0 || push(todo, choice.b) < 0)
				return -1;
		} else if (push(todo, from->left[node]) < 0 || push(todo, from->right[node]) < 0) {
			return -1;
		}
	}
	return 0;
}

/* A literal of the other graph as it is known here. */
static int32_t
known_as(const int32_t *known, int32_t literal)
{
	return known[literal >> 1] ^ (literal & 1);
}

/* The node of the other graph, built here; all below it is known. */
static int32_t
rebuilt(Graph *g, const Graph *from, int32_t node, const int32_t *values, const int32_t *known)
{
	Choice choice;
	if (from->left[node] == INPUT) {
		if (values[node] >= 0 && values[node] < 2 * (int64_t)g->count)
			return values[node];
		PyErr_Format(PyExc_IndexError, "%d is no literal of this graph", (int)values[node]);
		return FAILED;
	}
	if (mux_of(from, node, &choice))
		return gate_mux(g, known_as(known, choice.c), known_as(known, choice.a), known_as(known, choice.b));
	return gate_conj(g, known_as(known, from->left[node]), known_as(known, from->right[node]));
}

/* Builds what is marked, from below, and puts it in the place of the literals. It may be the same graph, which grows. */
static int
rebuild(Graph *g, const Graph *from, const int32_t *values, int32_t *known, int32_t end, List *literals)
{
	for (int32_t node = 1; node < end; node++)
		if (known[node] == SEEN && (known[node] = rebuilt(g, from, node, values, known)) == FAILED)
			return -1;
	for (size_t i = 0; i < literals->count; i++)
		literals->at[i] = known_as(known, literals->at[i]);
	return 0;
}

static PyObject *
graph_rebuild(Graph *g, PyObject *const *args, Py_ssize_t count)
{
	List literals = {0}, todo = {0};
	Py_buffer view = {0};
	PyObject *result = NULL;
	if (arguments(count, 3) < 0)
		return NULL;
	if (Py_TYPE(args[0]) != Py_TYPE((PyObject *)g)) {
		PyErr_SetString(PyExc_TypeError, "the other graph is of another kind");
		return NULL;
	}
	Graph *from = (Graph *)args[0];
	int failed = read_literals(from, args[1], &literals) < 0 ||
		PyObject_GetBuffer(args[2], &view, PyBUF_ND | PyBUF_FORMAT) < 0 || !usable(from, &view, "values");
	int32_t end = from->count, *known = failed ? NULL : PyMem_Malloc((size_t)end * sizeof *known);
	if (!failed && !known)
		PyErr_NoMemory();
	if (known) {
		known[0] = 0;
		for (int32_t node = 1; node < end; node++)
			known[node] = UNSEEN;
		for (size_t i = 0; !failed && i < literals.count; i++)
			failed = push(&todo, literals.at[i]) < 0;
		if (!failed && see(from, &todo, known) == 0 && rebuild(g, from, view.buf, known, end, &literals) == 0)
			result = list_of(literals.at, (Py_ssize_t)literals.count);
	}
	if (view.obj)
		PyBuffer_Release(&view);
	PyMem_Free(known);
	release(&literals);
	release(&todo);
	return result;
}

/* ---- the type ---- */

static Py_ssize_t
graph_length(PyObject *self)
{
	return ((Graph *)self)->count;
}

static PyObject *
graph_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
	if (PyTuple_Size(args) || (names && PyDict_Size(names))) {
		PyErr_SetString(PyExc_TypeError, "a graph is made of nothing");
		return NULL;
	}
	allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	Graph *g = (Graph *)allocate(type, 0); /* all of it is 0 */
	if (!g)
		return NULL;
	g->slots = 1024;
	g->table = PyMem_Calloc(g->slots, sizeof *g->table);
	if (!g->table || make_room(g, 1) < 0) {
		if (!PyErr_Occurred())
			PyErr_NoMemory();
		Py_DECREF(g);
		return NULL;
	}
	g->left[0] = g->right[0] = 0;
	g->count = 1;
	return (PyObject *)g;
}

static void
graph_free(PyObject *self)
{
	Graph *g = (Graph *)self;
	PyTypeObject *type = Py_TYPE(self);
	PyMem_Free(g->left);
	PyMem_Free(g->right);
	PyMem_Free(g->table);
	PyMem_Free(g->mark);
	((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
	Py_DECREF(type);
}

#define METHOD(name, how) {#name, (PyCFunction)(void (*)(void))graph_##name, how, NULL}

static PyMethodDef methods[] = {
	METHOD(conj, METH_FASTCALL),
	METHOD(disj, METH_FASTCALL),
	METHOD(xor, METH_FASTCALL),
	METHOD(mux, METH_FASTCALL),
	METHOD(all, METH_FASTCALL),
	METHOD(any, METH_FASTCALL),
	METHOD(conj_each, METH_FASTCALL),
	METHOD(disj_each, METH_FASTCALL),
	METHOD(xor_each, METH_FASTCALL),
	METHOD(mux_each, METH_FASTCALL),
	METHOD(equal, METH_FASTCALL),
	METHOD(mux_of, METH_O),
	METHOD(sides, METH_O),
	METHOD(new_inputs, METH_O),
	METHOD(contradict, METH_O),
	METHOD(support, METH_O),
	METHOD(evaluate, METH_FASTCALL),
	METHOD(clauses, METH_FASTCALL),
	METHOD(rebuild, METH_FASTCALL),
	{NULL, NULL, 0, NULL},
};

static PyType_Slot type_slots[] = {
	{Py_tp_new, graph_new},
	{Py_tp_dealloc, graph_free},
	{Py_tp_methods, methods},
	{Py_sq_length, graph_length},
	{0, NULL},
};

static PyType_Spec type_spec = {
	.name = "verifier.engine._graph.Graph",
	.basicsize = sizeof(Graph),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = type_slots,
};

static int
fill(PyObject *module)
{
	PyObject *type = PyType_FromModuleAndSpec(module, &type_spec, NULL);
	int failed = !type || PyModule_AddObjectRef(module, "Graph", type) < 0;
	Py_XDECREF(type);
	return failed ? -1 : 0;
}

static PyModuleDef_Slot module_slots[] = {
	{Py_mod_exec, fill},
	{0, NULL},
};

static PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "verifier.engine._graph",
	.m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__graph(void)
{
	return PyModuleDef_Init(&module);
}
