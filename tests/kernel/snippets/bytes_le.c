// SPDX-License-Identifier: GPL-2.0-or-later
typedef unsigned long long u64; typedef unsigned int u32; typedef unsigned short u16; typedef unsigned char u8; typedef long long s64; typedef int s32;
// What depends on the order of bytes: parts of words, unions, bitfields. p has four words.
u64 halves(u64 *p) { u32 *q = (u32 *)p; return ((u64)q[0] << 32 | q[1]) ^ q[3]; }
void byte_stores(u64 *p, u8 v) { u8 *q = (u8 *)p; q[3] = v; q[8] ^= q[7]; q[13] = 0; }
u64 straddle(u64 *p) { u64 r; __builtin_memcpy(&r, (u8 *)p + 5, 8); return r; }
struct fields { u64 present : 1, rw : 1, pad : 10, pfn : 40, soft : 11, nx : 1; };
u64 bitfields(u64 *p, u64 v) { struct fields *f = (struct fields *)p; f->pfn += v; f->rw = 0; f->soft = v >> 3; return f->pfn; }
union either { u64 whole; struct { u32 low, high; } part; };
u64 through_union(u64 a) { union either u = { a }; u.part.high ^= u.part.low; return u.whole; }
u64 odd_sizes(u64 *p) { struct __attribute__((packed)) odd { u8 a; u32 b; u16 c; } *q = (void *)p; q->b += q->a; return q->c + q->b; }
