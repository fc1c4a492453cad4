/* libgemmd: gemmd's kernels inside a process, without the daemon.
 *
 * A kernel spec, as JSON (README.md), is planned and compiled in this process; the result is launched on the caller's
 * own device memory and stream. NVRTC and the CUDA driver are opened at run time: without a GPU, specs compile all the
 * same for an arch that is named.
 *
 * Every function is thread-safe, but for the end of a handle, which no other call may then be using. No function but
 * gemmd_compile blocks. Functions that can fail return a gemmd_code and, where `error` is not NULL, put a text there:
 * NULL after GEMMD_OK, else what the daemon would say, which the caller gives to gemmd_free. The numbers of codes
 * are gRPC's.
 */
#ifndef GEMMD_H
#define GEMMD_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define GEMMD_API __attribute__((visibility("default")))
#else
#define GEMMD_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gemmd_code {
  GEMMD_OK = 0,
  GEMMD_INVALID_ARGUMENT = 3,  /* the spec or an argument is wrong; the text names the place */
  GEMMD_DEADLINE_EXCEEDED = 4, /* timeout_ms passed */
  GEMMD_NOT_FOUND = 5,
  GEMMD_PERMISSION_DENIED = 7,   /* others may write to the cache directory */
  GEMMD_RESOURCE_EXHAUSTED = 8,  /* memory */
  GEMMD_FAILED_PRECONDITION = 9, /* the thread has no CUDA context; a launch of what was compiled for no device */
  GEMMD_OUT_OF_RANGE = 11,       /* a tensor larger than any memory */
  GEMMD_UNIMPLEMENTED = 12,      /* a right spec that gemmd can't compute yet */
  GEMMD_INTERNAL = 13,           /* an error of the driver, by its name, or a bug of gemmd's */
  GEMMD_UNAVAILABLE = 14,        /* no NVRTC, no CUDA driver */
  GEMMD_DATA_LOSS = 15
} gemmd_code;

/* "0.1.0" */
GEMMD_API const char* gemmd_version(void);
/* "INVALID_ARGUMENT"; "UNKNOWN" for another number. */
GEMMD_API const char* gemmd_code_name(gemmd_code code);
/* Frees an error's text. NULL is fine. */
GEMMD_API void gemmd_free(char* text);

/* ---- Compiling ---- */

/* NVRTC and the caches. One is enough for a process. */
typedef struct gemmd_compiler gemmd_compiler;

/* Fields that are NULL or 0 are left to gemmd. `size` is sizeof(gemmd_compiler_options): later versions add fields. */
typedef struct gemmd_compiler_options {
  size_t size;
  const char* nvrtc_dir; /* where libnvrtc is; NULL: beside libgemmd, a CUDA toolkit, the system's libraries */
  const char* cache_dir; /* keeps cubins from run to run, shared with other processes; NULL: nothing on disk */
  int64_t cache_bytes;   /* bound of that directory; 0: 4 GiB */
  int64_t memory_bytes;  /* bound of the compiled kernels kept for later gemmd_compile calls; 0: 256 MiB */
} gemmd_compiler_options;

/* `options` may be NULL. NVRTC is looked for when something is first compiled.
 * Errors: INVALID_ARGUMENT, UNAVAILABLE and PERMISSION_DENIED (the cache directory). */
GEMMD_API gemmd_code gemmd_compiler_create(const gemmd_compiler_options* options, gemmd_compiler** compiler,
                                           char** error);
/* Its kernels live on. NULL is fine. */
GEMMD_API void gemmd_compiler_destroy(gemmd_compiler* compiler);

/* What every launch promises of a tensor: its first element, and in a matrix every line (a row, a column of a
 * column-major one), starts on a multiple of `bytes`, a power of two from the element's size to 16. More is no better.
 */
typedef struct gemmd_alignment {
  const char* tensor; /* the spec's name */
  int64_t bytes;
} gemmd_alignment;

typedef struct gemmd_compile_options {
  size_t size;      /* sizeof(gemmd_compile_options) */
  const char* arch; /* "sm_90a": for that arch, without a device, never to be launched here; NULL: the device of the
                       calling thread's current CUDA context, in which the kernel is then loaded */
  /* Tensors not named here are promised what they have where they start on 16 bytes and their lines follow one another
   * without gaps; of a dynamic extent nothing is assumed. */
  const gemmd_alignment* alignments;
  size_t alignment_count;
  int64_t timeout_ms; /* 0: none. Looked at between the compiler's phases */
} gemmd_compile_options;

/* A compiled spec. */
typedef struct gemmd_kernel gemmd_kernel;

/* Blocks: some 0.3 s for a kernel that no cache has, and for several of them where M is dynamic. `options` may be NULL.
 * Destroy the kernel before its context.
 * Errors: INVALID_ARGUMENT (with every error of the spec, a line each), UNIMPLEMENTED, FAILED_PRECONDITION,
 * UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL. */
GEMMD_API gemmd_code gemmd_compile(gemmd_compiler* compiler, const char* spec_json,
                                   const gemmd_compile_options* options, gemmd_kernel** kernel, char** error);
/* The machine code of one of a plan's kernels. */
typedef struct gemmd_cubin {
  const void* bytes;
  size_t size;
} gemmd_cubin;

/* A kernel that was compiled elsewhere: by the daemon (`gemmctl compile --output-dir` writes manifest.json and its
 * cubins), or by a gemmd_compile for a named arch on a machine without a GPU. `cubins` are those of the manifest's
 * `cubin_keys`, in their order. Loads into the calling thread's current context; needs no NVRTC.
 * Errors: DATA_LOSS (no manifest), INVALID_ARGUMENT (too few cubins, or for another arch than the device's),
 * FAILED_PRECONDITION (no current context), UNAVAILABLE (no driver), INTERNAL. */
GEMMD_API gemmd_code gemmd_load(const char* manifest_json, const gemmd_cubin* cubins, size_t cubin_count,
                                gemmd_kernel** kernel, char** error);
/* No launch of it may still be running. NULL is fine. */
GEMMD_API void gemmd_kernel_destroy(gemmd_kernel* kernel);

/* JSON that lives as long as the kernel. The manifest is README.md's: the tensors in the order of a launch, with names,
 * dtypes, layouts and alignments, and how each kernel is launched. The report is for people and benchmarks: summary,
 * cache tier, and each kernel's config, registers, spills, shared memory, occupancy, compile time and source; NULL for
 * a kernel of gemmd_load. */
GEMMD_API const char* gemmd_kernel_manifest(const gemmd_kernel* kernel);
GEMMD_API const char* gemmd_kernel_report(const gemmd_kernel* kernel);

/* The cubins, which live as long as the kernel: 0 to count - 1. {NULL, 0} for another index. */
GEMMD_API size_t gemmd_kernel_cubin_count(const gemmd_kernel* kernel);
GEMMD_API gemmd_cubin gemmd_kernel_cubin(const gemmd_kernel* kernel, size_t index);

/* The spec's tensors in the order of a launch: 0 to count - 1. NULL for another index. */
GEMMD_API size_t gemmd_kernel_input_count(const gemmd_kernel* kernel);
GEMMD_API const char* gemmd_kernel_input_name(const gemmd_kernel* kernel, size_t index);
GEMMD_API size_t gemmd_kernel_output_count(const gemmd_kernel* kernel);
GEMMD_API const char* gemmd_kernel_output_name(const gemmd_kernel* kernel, size_t index);

/* ---- Launching ---- */

/* The extents of A [m, k] and B [k, n], in elements: GEMMD_OF_SPEC where the spec has a literal one. */
#define GEMMD_OF_SPEC (-1)
typedef struct gemmd_shape {
  int64_t m, n, k;
} gemmd_shape;

typedef struct gemmd_tensor {
  void* data;                /* in device memory; the first element. Unused for a scalar */
  int64_t leading_dimension; /* elements from line to line of a matrix; 0: the lines follow one another */
  float scalar;              /* the value of a scalar input */
} gemmd_tensor;

typedef struct gemmd_launch_arguments {
  gemmd_shape shape;
  const gemmd_tensor* inputs; /* in the kernel's order */
  size_t input_count;
  const gemmd_tensor* outputs;
  size_t output_count;
  void* workspace; /* device memory that is this launch's alone until it ends, on a multiple of 256 bytes */
  int64_t workspace_bytes;
} gemmd_launch_arguments;

/* The workspace that a launch of that shape needs: often 0.
 * Errors: INVALID_ARGUMENT (an extent missing, out of range or other than the spec's), RESOURCE_EXHAUSTED. */
GEMMD_API gemmd_code gemmd_kernel_workspace_bytes(const gemmd_kernel* kernel, gemmd_shape shape, int64_t* bytes,
                                                  char** error);

/* Puts the kernel on `stream`, a CUstream or cudaStream_t of the kernel's context (NULL: the default stream), and
 * returns. It waits for nothing, allocates no device memory, and no host memory for up to 8 inputs and 8 outputs;
 * `stream` may be capturing a CUDA graph. What the arguments point to is read before it returns; the graph keeps the
 * tensors' addresses. The calling thread needs no current context.
 * M or N = 0 launches nothing; tensors without elements may be NULL.
 * Errors: INVALID_ARGUMENT (counts, extents, leading dimensions, alignments, overlaps, a NULL pointer, too small a
 * workspace, by the tensor's name), FAILED_PRECONDITION (compiled for a named arch), INTERNAL (the driver's). */
GEMMD_API gemmd_code gemmd_launch(const gemmd_kernel* kernel, const gemmd_launch_arguments* arguments, void* stream,
                                  char** error);

#ifdef __cplusplus
}
#endif

#endif
