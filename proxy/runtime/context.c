#include "proxy/runtime/context.h"

#include "proxy/runtime/fatal.h"

#ifdef CONTEXT_BY_HAND

/* The callee-saved registers of the System V ABI. The control words of floating point belong to
 * them too; nobody here changes those. */
#define REGISTERS 6

/* void context_swap(void **from, void *to): the annotations are for debuggers. */
__asm__(".text\n"
	".align 16\n"
	".globl context_swap\n"
	".hidden context_swap\n"
	".type context_swap, @function\n"
	"context_swap:\n"
	"	.cfi_startproc\n"
	"	pushq %rbp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	pushq %rbx\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	pushq %r12\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	pushq %r13\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	pushq %r14\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	pushq %r15\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq %r14\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq %r13\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq %r12\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq %rbx\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq %rbp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size context_swap, .-context_swap\n");

void context_swap(void **from, void *to) __asm__("context_swap");

void context_make(struct context *context, char *stack, size_t size, void (*fn)(void))
{
	void **top = (void **)(void *)(stack + size);

	/* As if fn had been called from nowhere, which ends a debugger's backtrace. */
	*--top = NULL;
	*--top = (void *)fn;
	for (int i = 0; i < REGISTERS; i++)
		*--top = NULL;
	context->top = top;
}

void context_switch(struct context *from, struct context *to)
{
	context_swap(&from->top, to->top);
}

#else

void context_make(struct context *context, char *stack, size_t size, void (*fn)(void))
{
	if (getcontext(&context->ucontext) != 0)
		fatal("getcontext failed");
	context->ucontext.uc_stack.ss_sp = stack;
	context->ucontext.uc_stack.ss_size = size;
	context->ucontext.uc_link = NULL;
	makecontext(&context->ucontext, fn, 0);
}

void context_switch(struct context *from, struct context *to)
{
	if (swapcontext(&from->ucontext, &to->ucontext) != 0)
		fatal("swapcontext failed");
}

#endif
