// SPDX-License-Identifier: GPL-2.0-or-later
typedef unsigned long long u64; typedef unsigned int u32; typedef unsigned short u16; typedef unsigned char u8; typedef long long s64; typedef int s32;
// Entries behind pointers: fields, two words, copies, pointers to chosen places, atomics. p has four words.
void set_first(u64 *p, u64 v) { p[0] = v | 1; }
u64 exchange(u64 *p, u64 v) { u64 old = p[1]; p[1] = v; return old; }
void conditional_store(u64 *p, u64 v, _Bool c) { if (c) p[2] = v; else p[3] ^= v; }
u64 chosen_word(u64 *p, u32 i) { return p[i & 3] + 1; }
void store_chosen(u64 *p, u32 i, u64 v) { p[i & 3] = v; }
struct pair { u64 low, high; };
static struct pair flip(struct pair x) { struct pair y = { x.high, ~x.low }; return y; }
void two_words(u64 *p) { struct pair *q = (struct pair *)p; q[1] = flip(q[0]); }
void copy_words(u64 *p) { __builtin_memcpy(p + 2, p, 16); p[0] = 0; }
u64 array_on_stack(u64 a, u32 i) { volatile u64 t[8]; for (int k = 0; k < 8; k++) t[k] = a * k; return t[i & 7]; }
u64 pointer_chosen(u64 *p, _Bool c) { u64 *q = c ? p : p + 3; *q += 7; return p[0] ^ p[3]; }
u64 cmpxchg_loop(u64 *p) { u64 old = __atomic_load_n(p, __ATOMIC_RELAXED); while (!__atomic_compare_exchange_n(p, &old, old & ~2ull, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) ; return old; }
u64 cmpxchg_fails(u64 *p, u64 expected) { return __sync_val_compare_and_swap(p, expected, 77ull); }
u64 atomics(u64 *p, u64 v) { u64 a = __sync_fetch_and_or(p, v); return a ^ __sync_fetch_and_add(p + 1, 3) ^ __sync_lock_test_and_set(p + 2, v); }
static const u16 table[16] = { 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597 };
u64 constant_table(u64 a) { return table[a >> 60] + table[a & 3]; }
u64 sum_of_words(u64 *p) { u64 s = 0; for (int i = 0; i < 4; i++) s += p[i] & 0xfff; return s; }
