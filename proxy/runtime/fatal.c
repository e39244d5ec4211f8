#include "proxy/runtime/fatal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/runtime/fiber.h"

void fatal(const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* Straight to the descriptor: stdio may need the memory that has run out. */
	(void)dprintf(STDERR_FILENO, "popgate: fatal: in fiber %s: %s\n",
		fiber_name(fiber_current()), text);
	abort();
}
