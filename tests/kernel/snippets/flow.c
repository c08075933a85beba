// SPDX-License-Identifier: GPL-2.0-or-later
typedef unsigned long long u64; typedef unsigned int u32; typedef unsigned short u16; typedef unsigned char u8; typedef long long s64; typedef int s32;
// Ways through a function: early returns, switches, loops with constant and with other ends.
u64 early_returns(u64 a) { if (!(a & 1)) return 0; if (a & 2) return a >> 12; if (a & 0x40) return ~a; return 5; }
u64 switched(u32 a) { switch (a & 7) { case 0: return 10; case 1: case 2: return a; case 5: a ^= 0x55; break; default: a += 3; } return (u64)a * 2; }
u32 dense_switch(u8 a) { switch (a) { case 0: return 7; case 1: return 19; case 2: return 3; case 3: return 255; case 4: return 1; default: return 0; } }
u64 bits_in_loop(u64 a) { u64 n = 0; for (int i = 0; i < 64; i++) n = n * 3 + (a >> i & 1); return n; }
u64 loop_with_exit(u64 a) { for (int i = 0; i < 16; i++) if (a >> (4 * i) & 8) return i; return 99; }
u64 nested_loops(u64 a) { u64 n = 0; for (int i = 0; i < 5; i++) for (int j = i; j < 6; j++) n ^= a << (i * j); return n; }
u64 loop_skips(u64 a) { u64 n = 0; for (int i = 0; i < 12; i++) { if (a >> i & 1) continue; n += i * i; if (n > 200) break; } return n; }
u64 short_circuit(u64 a, u64 b) { return (a && b && a % 3 == b % 3) || (!a && (b & 5)); }
static __attribute__((noinline)) u64 step(u64 a, int up) { if (up) return a + 4096; return a - 4096; }
u64 calls(u64 a, _Bool up) { u64 r = step(a, up); return r > a ? step(r, !up) : r ^ 1; }
_Bool truth(u64 a, _Bool b) { return b ^ ((a & 0x40) != 0) ^ (a > 1000); }
u64 chain(u64 a) { u64 r = a & 1 ? 3 : 4; r = a & 2 ? r * 5 : r + 5; r = a & 4 ? r << 1 : r; return a & 8 ? ~r : r; }
