// SPDX-License-Identifier: GPL-2.0-or-later
typedef unsigned long long u64; typedef unsigned int u32; typedef unsigned short u16; typedef unsigned char u8; typedef long long s64; typedef int s32;
// Arithmetic and logic on words: masks, shifts by values, signs, widths.
u64 mask_and_set(u64 a, u64 b) { return (a & ~0x42ull) | (b << 12 & 0xffffffffff000ull); }
u64 move_bit(u64 v) { u64 c = (~v >> 1) & 1; v |= ((v >> 6) & c) << 58; return v & ~(c << 6); }
u64 shift_by_value(u64 a, u32 n) { return n < 64 ? a << n | a >> (63 - n) : 0; }
u64 arithmetic_shift(u64 a, u32 n) { return (u64)((s64)a >> (n & 63)); }
u64 rotate(u64 a, u32 n) { n &= 63; return (a << n) | (a >> ((64 - n) & 63)); }
u32 narrow_widths(u8 a, u16 b) { return (u32)(u8)(a + b) << 16 | (u16)(a * b); }
s32 signed_compare(s32 a, s32 b) { return a < b ? -1 : a > b; }
s64 sign_extend(u32 a, u8 b) { return (s64)(s32)a + (signed char)b; }
u64 carry(u64 a, u64 b) { u64 s = a + b; return s < a ? ~s : s; }
u64 multiply(u64 a, u32 b) { return a * b + (a >> 7) * 17; }
u64 divide(u64 a, u32 b) { return a / (b | 1) + a % ((b & 0xff) + 3); }
s64 divide_signed(s64 a, s32 b) { return a / 7 + (a % 1000) * (b / 16); }
u64 negate(u64 a) { return a ^ -(a & 1); }
