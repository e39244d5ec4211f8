/*
 * sanitize - what AddressSanitizer and LeakSanitizer must be told; nothing in other builds.
 */
#ifndef POPGATE_RUNTIME_SANITIZE_H
#define POPGATE_RUNTIME_SANITIZE_H

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define RUNTIME_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(RUNTIME_ASAN)
#define RUNTIME_ASAN 1
#endif

#ifdef RUNTIME_ASAN
#include <stddef.h>

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
/* The compiler must not see what the address points to: gcc 12 takes it for a read. */
static inline void sanitize_poison(const void *p, size_t n)
{
	__asm__("" : "+r"(p));
	__asan_poison_memory_region(p, n);
}
#define sanitize_unpoison(p, n)            __asan_unpoison_memory_region((p), (n))
#define sanitize_root_add(p, n)            __lsan_register_root_region((p), (n))
#define sanitize_root_remove(p, n)         __lsan_unregister_root_region((p), (n))
#define sanitize_leave(save, bottom, size) __sanitizer_start_switch_fiber((save), (bottom), (size))
#define sanitize_arrive(save, bottom, size)                                                        \
	__sanitizer_finish_switch_fiber((save), (bottom), (size))
#else
#define sanitize_poison(p, n)               ((void)(p), (void)(n))
#define sanitize_unpoison(p, n)             ((void)(p), (void)(n))
#define sanitize_root_add(p, n)             ((void)(p), (void)(n))
#define sanitize_root_remove(p, n)          ((void)(p), (void)(n))
#define sanitize_leave(save, bottom, size)  ((void)(save), (void)(bottom), (void)(size))
#define sanitize_arrive(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#endif

#endif
