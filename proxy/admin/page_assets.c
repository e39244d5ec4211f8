/* The page's style and script, taken into the program as they are. */
#include "proxy/admin/page.h"

#define ASSET(name, file)                                                                          \
	__asm__(".pushsection .rodata\n"                                                           \
		".global " #name "\n" #name ":\n"                                                  \
		".incbin \"" ASSET_DIR "/" file "\"\n"                                             \
		".byte 0\n"                                                                        \
		".popsection\n")

ASSET(page_css, "page.css");
ASSET(page_js, "page.js");
