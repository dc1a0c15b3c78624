/* What the peers share: a clock, lines of JSON on standard output, a reproducible stream of bytes, SHA-256, and a
 * watchdog that ends the program. Plain Win32, and none of the project's code: a peer that shared it would share its
 * faults. Everything is in the header, because each peer is built from one C file.
 *
 * A line is {"event":NAME,"ms":MILLISECONDS,...}; it is written whole, so lines of two threads never mix. */
#ifndef PEER_H
#define PEER_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

/* MinGW-w64 has those of the C standard under these names, and others, or none, as msvcrt.dll has them. */
#ifndef __MINGW32__
#define __mingw_snprintf  snprintf
#define __mingw_vsnprintf vsnprintf
#endif
#ifdef __clang__
#define PEER_FORMAT(format_at, first) __attribute__((format(printf, format_at, first)))
#elif defined(__GNUC__)
#define PEER_FORMAT(format_at, first) __attribute__((format(gnu_printf, format_at, first)))
#else
#define PEER_FORMAT(format_at, first)
#endif

/* Exit codes of every peer, besides 0: a step of the script failed; the command line is wrong; time is up. */
enum { PEER_FAILED = 1, PEER_USAGE = 2, PEER_TIMEOUT = 3 };

/* ---- clock and lines ---- */

static inline double peer_now_ms(void)
{
  LARGE_INTEGER count, frequency;
  QueryPerformanceCounter(&count);
  QueryPerformanceFrequency(&frequency);
  return (double)count.QuadPart * 1000.0 / (double)frequency.QuadPart;
}

typedef struct peer_log {
  HANDLE out;
  double start_ms;
  int client; /* told in each line; 0: not told */
} peer_log;

static inline void peer_log_init(peer_log *log)
{
  log->out = GetStdHandle(STD_OUTPUT_HANDLE);
  log->start_ms = peer_now_ms();
  log->client = 0;
}

/* `format` makes the fields after "event" and "ms", each beginning with a comma, or nothing. */
static inline void PEER_FORMAT(3, 4) peer_event(const peer_log *log, const char *event, const char *format, ...)
{
  char line[8192];
  size_t room = sizeof line - 2;
  int used = __mingw_snprintf(line, room, "{\"event\":\"%s\",\"ms\":%.1f", event, peer_now_ms() - log->start_ms);
  va_list args;
  if (log->client != 0)
    used += __mingw_snprintf(line + used, room - (size_t)used, ",\"client\":%d", log->client);
  va_start(args, format);
  used += __mingw_vsnprintf(line + used, room - (size_t)used, format, args);
  va_end(args);
  if ((size_t)used >= room)
    used = (int)room - 1;
  line[used++] = '}';
  line[used++] = '\n';
  DWORD written;
  WriteFile(log->out, line, (DWORD)used, &written, NULL);
}

/* ---- watchdog: the program ends itself, whatever happens ---- */

typedef struct peer_watchdog {
  const peer_log *log;
  DWORD limit_ms;
  DWORD progress_ms;    /* 0: tells no progress */
  volatile LONG64 sent; /* by the main thread, for the progress lines */
  volatile LONG64 received;
  volatile LONG expired; /* time is up: what fails from now on fails because of that */
  HANDLE victim;         /* a process to end with us, or NULL */
} peer_watchdog;

static inline DWORD WINAPI peer_watchdog_run(void *argument)
{
  peer_watchdog *dog = argument;
  double end_ms = peer_now_ms() + dog->limit_ms;
  while (peer_now_ms() < end_ms) {
    Sleep(dog->progress_ms != 0 ? dog->progress_ms : 200);
    if (dog->progress_ms != 0)
      peer_event(dog->log, "progress", ",\"sent\":%lld,\"received\":%lld",
                 (long long)InterlockedCompareExchange64(&dog->sent, 0, 0),
                 (long long)InterlockedCompareExchange64(&dog->received, 0, 0));
  }
  peer_event(dog->log, "timeout", "%s", "");
  (void)InterlockedExchange(&dog->expired, 1);
  if (dog->victim != NULL)
    TerminateProcess(dog->victim, 99);
  ExitProcess(PEER_TIMEOUT);
  return 0;
}

static inline void peer_watchdog_start(peer_watchdog *dog)
{
  HANDLE thread = CreateThread(NULL, 0, peer_watchdog_run, dog, 0, NULL);
  if (thread == NULL) {
    peer_event(dog->log, "failed", ",\"action\":\"watchdog\",\"error\":%lu", (unsigned long)GetLastError());
    ExitProcess(PEER_FAILED);
  }
  CloseHandle(thread);
}

/* ---- the stream: bytes that tell their place, the same in test/lib/bytestream.py ----
 * Block i has 4099 bytes (a prime, so that no buffer size hides a shift): i as 8 bytes, least first, then 4091 bytes
 * of a table of 65536, from (i * 977) % 61441 on. The table comes from splitmix64 of the seed. */

enum { PEER_TABLE = 65536, PEER_BLOCK = 4099, PEER_SLICE = PEER_BLOCK - 8, PEER_STARTS = 61441 };

typedef struct peer_stream {
  uint64_t position;
  uint8_t table[PEER_TABLE];
} peer_stream;

static inline void peer_stream_init(peer_stream *stream, uint64_t seed)
{
  uint64_t state = seed;
  stream->position = 0;
  for (size_t i = 0; i < PEER_TABLE; i += 8) {
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    for (size_t k = 0; k < 8; k++)
      stream->table[i + k] = (uint8_t)(z >> (8 * k));
  }
}

static inline void peer_stream_fill(peer_stream *stream, uint8_t *to, size_t length)
{
  while (length > 0) {
    uint64_t block = stream->position / PEER_BLOCK;
    size_t offset = (size_t)(stream->position % PEER_BLOCK);
    size_t part;
    if (offset < 8) {
      *to = (uint8_t)(block >> (8 * offset));
      part = 1;
    } else {
      const uint8_t *slice = stream->table + block * 977 % PEER_STARTS;
      part = PEER_BLOCK - offset < length ? PEER_BLOCK - offset : length;
      memcpy(to, slice + (offset - 8), part);
    }
    to += part;
    length -= part;
    stream->position += part;
  }
}

/* ---- SHA-256 (FIPS 180-4) ---- */

typedef struct peer_sha256 {
  uint32_t state[8];
  uint64_t length;
  uint8_t block[64];
} peer_sha256;

static inline uint32_t peer_rotate(uint32_t x, unsigned by)
{
  return (x >> by) | (x << (32 - by));
}

static inline void peer_sha256_block(uint32_t state[8], const uint8_t *p)
{
  static const uint32_t k[64] = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
      0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
      0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
      0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
      0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
      0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
      0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
      0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = peer_rotate(w[i - 15], 7) ^ peer_rotate(w[i - 15], 18) ^ (w[i - 15] >> 3);
    uint32_t b = peer_rotate(w[i - 2], 17) ^ peer_rotate(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  memcpy(s, state, sizeof s);
  for (int i = 0; i < 64; i++) {
    uint32_t e = peer_rotate(s[4], 6) ^ peer_rotate(s[4], 11) ^ peer_rotate(s[4], 25);
    uint32_t a = peer_rotate(s[0], 2) ^ peer_rotate(s[0], 13) ^ peer_rotate(s[0], 22);
    uint32_t t1 = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
    uint32_t t2 = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += t1;
    s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++)
    state[i] += s[i];
}

static inline void peer_sha256_init(peer_sha256 *hash)
{
  static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, first, sizeof first);
  hash->length = 0;
}

static inline void peer_sha256_add(peer_sha256 *hash, const uint8_t *data, size_t length)
{
  size_t have = (size_t)(hash->length % 64);
  hash->length += length;
  if (have > 0) {
    size_t part = 64 - have < length ? 64 - have : length;
    memcpy(hash->block + have, data, part);
    data += part;
    length -= part;
    if (have + part < 64)
      return;
    peer_sha256_block(hash->state, hash->block);
  }
  for (; length >= 64; data += 64, length -= 64)
    peer_sha256_block(hash->state, data);
  memcpy(hash->block, data, length);
}

/* Writes 64 hexadecimal digits and a NUL. */
static inline void peer_sha256_end(peer_sha256 *hash, char hex[65])
{
  uint64_t bits = hash->length * 8;
  uint8_t tail[72] = {0x80};
  size_t pad = 64 - (size_t)((hash->length + 8) % 64);
  for (int i = 0; i < 8; i++)
    tail[pad + (size_t)i] = (uint8_t)(bits >> (56 - 8 * i));
  peer_sha256_add(hash, tail, pad + 8);
  for (int i = 0; i < 8; i++)
    __mingw_snprintf(hex + 8 * i, 9, "%08x", (unsigned)hash->state[i]);
}

/* ---- parsing arguments ---- */

/* If `word` is "NAME=VALUE", the value, else NULL. */
static inline const char *peer_value(const char *word, const char *name)
{
  size_t length = strlen(name);
  return strncmp(word, name, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

/* Reads up to `count` numbers separated by commas; what is missing keeps its value. */
static inline void peer_numbers(const char *text, unsigned long long *numbers, size_t count)
{
  char *end = (char *)(uintptr_t)text;
  for (size_t i = 0; i < count; i++) {
    numbers[i] = strtoull(end, &end, 10);
    if (*end++ != ',')
      break;
  }
}

#endif
