// SPDX-License-Identifier: GPL-2.0-or-later
typedef unsigned long long u64; typedef unsigned int u32; typedef unsigned short u16; typedef unsigned char u8; typedef long long s64; typedef int s32;
// What the compiler makes intrinsics of: byte swaps, counts, extremes, saturation.
u64 swap_bytes(u64 a) { return __builtin_bswap64(a) ^ __builtin_bswap32((u32)a); }
u32 count_bits(u64 a) { return __builtin_popcountll(a); }
u32 first_bit(u64 a) { return a ? __builtin_ctzll(a) : 64; }
u32 last_bit(u64 a) { return a ? 63 - __builtin_clzll(a) : 64; }
u64 largest(u64 a, u64 b) { return a > b ? a : b; }
s64 smallest(s64 a, s64 b) { return a < b ? a : b; }
u64 magnitude(s32 a) { return a < 0 ? -(s64)a : a; }
u64 checked_add(u64 a, u64 b) { u64 r; return __builtin_add_overflow(a, b, &r) ? ~0ull : r; }
u64 checked_mul(u32 a, u32 b) { u32 r; return __builtin_mul_overflow(a, b, &r) ? 0xdeadull : r; }
u64 reverse_bits(u64 a) { return __builtin_bitreverse64(a); }
