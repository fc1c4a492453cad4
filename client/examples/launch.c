/* out = relu(x * w + bias) with libgemmd, in C: compiled for any number of rows, launched on a stream of our own.
 *
 *   cc -I client/libgemmd -I /usr/local/cuda/include client/examples/launch.c -o launch -L build/release/lib -lgemmd
 * -ldl
 *
 * Where there is no GPU the kernel is compiled for sm_90a all the same, and the launch is skipped. A program that needs
 * a GPU anyway links libcuda (or uses the runtime API) in place of the dlsym below.
 */
#include <cuda.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "gemmd.h"

enum { M = 100, N = 48, K = 32 };

static const char kSpec[] =
    "{\"version\": 1, \"dims\": {\"M\": \"dynamic\", \"K\": 32, \"N\": 48},"
    " \"inputs\": {\"x\": {\"dtype\": \"f32\", \"shape\": [\"M\", \"K\"]},"
    "              \"w\": {\"dtype\": \"f32\", \"shape\": [\"K\", \"N\"]},"
    "              \"bias\": {\"dtype\": \"f32\", \"shape\": [\"N\"]}},"
    " \"matmul\": {\"a\": \"x\", \"b\": \"w\"},"
    " \"epilogue\": [{\"op\": \"add\", \"operand\": \"bias\"}, {\"op\": \"relu\"},"
    "                {\"op\": \"store\", \"output\": \"out\", \"dtype\": \"f32\"}]}";

#define TEXT_OF(name) #name
#define SYMBOL(name) TEXT_OF(name) /* cuda.h maps names to versions of them */
#define CUDA(call)                                                \
  do {                                                            \
    const CUresult result = (call);                               \
    if (result != CUDA_SUCCESS) {                                 \
      fprintf(stderr, "%s: CUDA error %d\n", #call, (int)result); \
      exit(1);                                                    \
    }                                                             \
  } while (0)
#define DRIVER(name)                                                           \
  __typeof__(&name) driver_##name = NULL;                                      \
  if (library != NULL) *(void**)&driver_##name = dlsym(library, SYMBOL(name)); \
  if (driver_##name == NULL) return 0

/* By address: the call that sets the text is an argument, too. */
static void Check(gemmd_code code, char** error) {
  if (code == GEMMD_OK) return;
  fprintf(stderr, "%s: %s\n", gemmd_code_name(code), *error);
  gemmd_free(*error);
  exit(1);
}

static gemmd_kernel* Compile(gemmd_compiler* compiler, const char* arch) {
  const gemmd_compile_options options = {.size = sizeof options, .arch = arch};
  gemmd_kernel* kernel = NULL;
  char* error = NULL;
  Check(gemmd_compile(compiler, kSpec, &options, &kernel, &error), &error);
  return kernel;
}

/* Launches and compares; the kernel was compiled for the current context. Returns 0 where there is no GPU. */
static int Launch(gemmd_compiler* compiler) {
  void* const library = dlopen("libcuda.so.1", RTLD_NOW);
  DRIVER(cuInit);
  DRIVER(cuDevicePrimaryCtxRetain);
  DRIVER(cuCtxSetCurrent);
  DRIVER(cuStreamCreate);
  DRIVER(cuStreamSynchronize);
  DRIVER(cuMemAlloc);
  DRIVER(cuMemcpyHtoD);
  DRIVER(cuMemcpyDtoH);
  CUcontext context;
  CUstream stream;
  if (driver_cuInit(0) != CUDA_SUCCESS) return 0;
  CUDA(driver_cuDevicePrimaryCtxRetain(&context, 0));
  CUDA(driver_cuCtxSetCurrent(context));
  CUDA(driver_cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  gemmd_kernel* const kernel = Compile(compiler, NULL);

  static float x[M][K], w[K][N], bias[N], out[M][N];
  for (int i = 0; i < M * K; ++i) x[i / K][i % K] = (float)(i % 7) - 3;
  for (int i = 0; i < K * N; ++i) w[i / N][i % N] = (float)(i % 5) - 2;
  for (int i = 0; i < N; ++i) bias[i] = (float)(i % 3) - 1;
  CUdeviceptr device_x, device_w, device_bias, device_out, workspace = 0;
  CUDA(driver_cuMemAlloc(&device_x, sizeof x));
  CUDA(driver_cuMemAlloc(&device_w, sizeof w));
  CUDA(driver_cuMemAlloc(&device_bias, sizeof bias));
  CUDA(driver_cuMemAlloc(&device_out, sizeof out));
  CUDA(driver_cuMemcpyHtoD(device_x, x, sizeof x));
  CUDA(driver_cuMemcpyHtoD(device_w, w, sizeof w));
  CUDA(driver_cuMemcpyHtoD(device_bias, bias, sizeof bias));

  const gemmd_shape shape = {M, GEMMD_OF_SPEC, GEMMD_OF_SPEC};
  int64_t workspace_bytes = 0;
  char* error = NULL;
  Check(gemmd_kernel_workspace_bytes(kernel, shape, &workspace_bytes, &error), &error);
  if (workspace_bytes > 0) CUDA(driver_cuMemAlloc(&workspace, (size_t)workspace_bytes));
  /* In the manifest's order: gemmd_kernel_input_name says which is which. A, B, then operands by their first use. */
  const gemmd_tensor inputs[] = {{.data = (void*)device_x}, {.data = (void*)device_w}, {.data = (void*)device_bias}};
  const gemmd_tensor outputs[] = {{.data = (void*)device_out}};
  const gemmd_launch_arguments arguments = {.shape = shape,
                                            .inputs = inputs,
                                            .input_count = 3,
                                            .outputs = outputs,
                                            .output_count = 1,
                                            .workspace = (void*)workspace,
                                            .workspace_bytes = workspace_bytes};
  Check(gemmd_launch(kernel, &arguments, stream, &error), &error);
  CUDA(driver_cuStreamSynchronize(stream));
  CUDA(driver_cuMemcpyDtoH(out, device_out, sizeof out));
  gemmd_kernel_destroy(kernel);

  for (int m = 0; m < M; ++m) {
    for (int n = 0; n < N; ++n) {
      float expected = bias[n];
      for (int k = 0; k < K; ++k) expected += x[m][k] * w[k][n];
      if (expected < 0) expected = 0;
      if (fabsf(out[m][n] - expected) > 1e-4f) {
        fprintf(stderr, "out[%d][%d] is %g, expected %g\n", m, n, out[m][n], expected);
        exit(1);
      }
    }
  }
  printf("launched: %d by %d elements are right\n", M, N);
  return 1;
}

int main(void) {
  gemmd_compiler* compiler = NULL;
  char* error = NULL;
  Check(gemmd_compiler_create(NULL, &compiler, &error), &error);
  if (!Launch(compiler)) {
    gemmd_kernel* const kernel = Compile(compiler, "sm_90a");
    const gemmd_shape shape = {M, GEMMD_OF_SPEC, GEMMD_OF_SPEC};
    int64_t workspace_bytes = 0;
    Check(gemmd_kernel_workspace_bytes(kernel, shape, &workspace_bytes, &error), &error);
    printf("%s%d rows need %lld bytes of workspace\n", gemmd_kernel_manifest(kernel), M, (long long)workspace_bytes);
    printf("no GPU: the launch is skipped\n");
    gemmd_kernel_destroy(kernel);
  }
  gemmd_compiler_destroy(compiler);
  return 0;
}
